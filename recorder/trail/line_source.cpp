#include "recorder/trail/line_source.h"

#include <unistd.h>

#include <cstring>

namespace sidrec {

constexpr size_t kReadBytes = 1024 * 1024;

LineSource::LineSource(int fd, std::string name, uint64_t offset)
    : fd_(fd), name_(std::move(name)), buffer_(kReadBytes), offset_(offset) {}

Result<bool> LineSource::read_more() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    if (buffer_.size() >= kMaxLineBytes) {
      return Error{name_ + ":" + std::to_string(line_number_ + 1) + ": a line of more than " +
                   std::to_string(kMaxLineBytes >> 20) + " MiB: this is not a trail"};
    }
    buffer_.resize(buffer_.size() * 2);
  }
  ssize_t got;
  do {
    got = pread(fd_, buffer_.data() + end_, buffer_.size() - end_, static_cast<off_t>(offset_ + end_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno_error("cannot read " + name_);
  end_ += static_cast<size_t>(got);
  return got > 0;
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
      ++line_number_;
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
