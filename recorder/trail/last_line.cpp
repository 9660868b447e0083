#include "recorder/trail/last_line.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "recorder/trail/seal.h"

namespace sidrec {
namespace {

// Session.end and a seal are far shorter, both together.
constexpr off_t kLook = 64 * 1024;

// The file's last bytes, up to the end of its last whole line.
std::string whole_lines_at_end(int fd) {
  struct stat found {};
  if (fstat(fd, &found) != 0) return {};
  std::string tail(static_cast<size_t>(std::min(found.st_size, kLook)), '\0');
  const ssize_t got = pread(fd, tail.data(), tail.size(), found.st_size - static_cast<off_t>(tail.size()));
  tail.resize(got > 0 ? static_cast<size_t>(got) : 0);
  tail.resize(tail.rfind('\n') + 1);  // npos + 1 is 0
  return tail;
}

// Takes the last line off, without its '\n'.
std::string_view take_last_line(std::string_view& lines) {
  if (lines.empty()) return {};
  lines.remove_suffix(1);
  const size_t begin = lines.rfind('\n') + 1;
  const std::string_view line = lines.substr(begin);
  lines = lines.substr(0, begin);
  return line;
}

}  // namespace

std::optional<std::string> session_end_of(int fd) {
  const std::string end = whole_lines_at_end(fd);
  std::string_view lines = end;
  std::string_view last = take_last_line(lines);
  if (is_seal(last)) last = take_last_line(lines);
  if (!is_session_end(last)) return std::nullopt;
  return std::string(last);
}

bool is_session_end(std::string_view line) { return line.starts_with(R"({"ev":"session.end",)"); }

}  // namespace sidrec
