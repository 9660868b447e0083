#include "recorder/fold/scp_reader.h"

#include <algorithm>
#include <charconv>

namespace sidrec::fold {
namespace {
constexpr size_t kMaxLine = 8 * 1024;
constexpr size_t kMaxFolders = 256;
}  // namespace

void ScpReader::read(Direction dir, std::string_view bytes, TransferListener& to) {
  while (!bytes.empty()) {
    if (given_up_ || dir != carries_) return to.keep(dir, bytes);
    if (!in_file_) {
      bytes.remove_prefix(read_line(bytes, to));
      continue;
    }
    const std::string_view part = bytes.substr(0, std::min<uint64_t>(size_ - counter_.bytes(), bytes.size()));
    to.bulk(dir, part);
    counter_.add(part);
    bytes.remove_prefix(part.size());
    if (counter_.bytes() == size_) finish(true, to);
  }
}

// A line, or the status byte behind a file.
size_t ScpReader::read_line(std::string_view bytes, TransferListener& to) {
  if (line_.empty() && bytes.front() == '\0') {
    to.keep(carries_, bytes.substr(0, 1));
    return 1;
  }
  const size_t end = bytes.find('\n');
  const std::string_view part = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
  line_.append(part);
  to.keep(carries_, part);
  if (line_.size() > kMaxLine) given_up_ = true;
  if (end == std::string_view::npos) return part.size();
  given_up_ = given_up_ || !understand(line_);
  line_.clear();
  if (in_file_ && size_ == 0) finish(true, to);
  return part.size();
}

bool ScpReader::understand(const std::string& line) {
  const std::string_view text(line.data(), line.size() - 1);
  switch (text.empty() ? '\0' : text.front()) {
    case 'C':
    case 'D': {  // mode, size, name
      const size_t size_at = text.find(' ');
      const size_t name_at = size_at == std::string_view::npos ? size_at : text.find(' ', size_at + 1);
      if (name_at == std::string_view::npos) return false;
      uint64_t size = 0;
      const char* const end = text.data() + name_at;
      const auto number = std::from_chars(text.data() + size_at + 1, end, size);
      if (number.ec != std::errc() || number.ptr != end) return false;
      const std::string name(text.substr(name_at + 1));
      if (text.front() == 'D') {
        folders_.push_back(name);
        return folders_.size() <= kMaxFolders;
      }
      name_.clear();
      for (const std::string& folder : folders_) name_ += folder + "/";
      name_ += name;
      size_ = size;
      counter_ = {};
      in_file_ = true;
      return true;
    }
    case 'E':
      if (!folders_.empty()) folders_.pop_back();
      return true;
    case 'T':
    case '\1':  // a message
    case '\2': return true;
    default: return false;
  }
}

void ScpReader::finish(bool finished, TransferListener& to) {
  in_file_ = false;
  to.keep(carries_, {});
  TransferFacts facts;
  facts.dir = carries_;
  facts.protocol = TransferProtocol::kScp;
  facts.name = name_;
  facts.size = size_;
  facts.finished = finished;
  counter_.finish(facts);
  to.transferred(facts);
}

void ScpReader::end(TransferListener& to) {
  if (in_file_) finish(false, to);
}

}  // namespace sidrec::fold
