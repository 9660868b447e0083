#include "recorder/trail/last_line.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace sidrec {

std::optional<std::string> last_whole_line(int fd) {
  constexpr off_t kLook = 64 * 1024;
  struct stat found {};
  if (fstat(fd, &found) != 0) return std::nullopt;
  std::string tail(static_cast<size_t>(std::min(found.st_size, kLook)), '\0');
  const off_t from = found.st_size - static_cast<off_t>(tail.size());
  const ssize_t got = pread(fd, tail.data(), tail.size(), from);
  if (got <= 0) return std::nullopt;
  tail.resize(static_cast<size_t>(got));
  const size_t last = tail.rfind('\n');
  if (last == std::string::npos) return std::nullopt;
  const size_t before = last == 0 ? std::string::npos : tail.rfind('\n', last - 1);
  if (before == std::string::npos && from > 0) return std::nullopt;
  const size_t first = before == std::string::npos ? 0 : before + 1;
  return tail.substr(first, last - first);
}

bool is_session_end(std::string_view line) { return line.starts_with(R"({"ev":"session.end",)"); }

}  // namespace sidrec
