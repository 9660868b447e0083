#include "recorder/trail/line_source.h"

#include <cstring>

namespace sidrec {

constexpr size_t kReadBytes = 1024 * 1024;

LineSource::LineSource(TrailBytes& bytes, uint64_t offset) : bytes_(bytes), buffer_(kReadBytes), offset_(offset) {}

Result<bool> LineSource::read_more() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    if (buffer_.size() >= kMaxLineBytes) {
      return Error{line_file() + ":" + std::to_string(line_number_ + 1) + ": a line of more than " +
                   std::to_string(kMaxLineBytes >> 20) + " MiB: this is not a trail"};
    }
    buffer_.resize(buffer_.size() * 2);
  }
  const auto got = bytes_.read_at(offset_ + end_, buffer_.data() + end_, buffer_.size() - end_);
  if (!got) return got.error();
  end_ += *got;
  return *got > 0;
}

// Each segment's lines are counted from 1.
void LineSource::count_line() {
  const uint64_t begin = bytes_.begin_of_segment_at(line_offset_);
  if (begin != segment_begin_) line_number_ = 0;
  segment_begin_ = begin;
  ++line_number_;
}

Result<bool> LineSource::next(std::string_view& line) {
  size_t searched = 0;
  while (true) {
    const char* const from = buffer_.data() + begin_;
    const void* newline = std::memchr(from + searched, '\n', end_ - begin_ - searched);
    if (newline != nullptr) {
      const auto length = static_cast<size_t>(static_cast<const char*>(newline) - from);
      line = {from, length};
      line_offset_ = offset_;
      count_line();
      offset_ += length + 1;
      begin_ += length + 1;
      return true;
    }
    searched = end_ - begin_;
    auto more = read_more();
    if (!more) return more;
    if (!*more) {
      end_ = begin_;  // forget the unfinished line: it may be another one when we look again
      return false;
    }
  }
}

}  // namespace sidrec
