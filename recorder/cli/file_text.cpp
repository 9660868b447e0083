#include "recorder/cli/file_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "recorder/base/unique_fd.h"

namespace sidrec::cli {

constexpr size_t kMaxText = 64 * 1024 * 1024;  // a /proc/PID/maps of half a million mappings

std::string file_text(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string text;
  std::array<char, 65536> piece;
  ssize_t got = 0;
  while (file && text.size() < kMaxText && (got = read(file.get(), piece.data(), piece.size())) > 0) {
    text.append(piece.data(), static_cast<size_t>(got));
  }
  return text;
}

}  // namespace sidrec::cli
