#include "recorder/cli/output.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "recorder/cli/exit_code.h"

namespace sidrec::cli {

constexpr size_t kGather = 256 * 1024;

Output::Output(int fd, std::string name) : fd_(fd), name_(std::move(name)) { std::signal(SIGPIPE, SIG_IGN); }

bool Output::put(std::string_view bytes) {
  gathered_ += bytes;
  return gathered_.size() < kGather || flush();
}

bool Output::flush() {
  size_t written = 0;
  while (error_ == 0 && written < gathered_.size()) {
    const ssize_t put = write(fd_, gathered_.data() + written, gathered_.size() - written);
    if (put >= 0) {
      written += static_cast<size_t>(put);
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  gathered_.clear();
  return error_ == 0;
}

int Output::finish() {
  flush();
  if (error_ == 0 || error_ == EPIPE) return kOk;
  return fail("cannot write " + name_ + ": " + std::strerror(error_));
}

bool Output::is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool Output::wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return is_terminal() && (no_colour == nullptr || *no_colour == '\0');
}

}  // namespace sidrec::cli
