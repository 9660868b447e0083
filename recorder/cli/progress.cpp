#include "recorder/cli/progress.h"

#include <algorithm>
#include <utility>

#include "recorder/cli/table.h"

namespace sidrec::cli {
namespace {

// To the line's begin, and what stood there is gone (ECMA-48).
constexpr const char* kFreshLine = "\r\x1b[K";

void put(int fd, const std::string& text) {
  if (::write(fd, text.data(), text.size()) < 0) return;  // nobody misses it
}

std::string bar(uint64_t done, uint64_t total) {
  constexpr uint64_t kWidth = 30;
  const uint64_t filled = total == 0 ? kWidth : std::min(done, total) * kWidth / total;
  return "[" + std::string(filled, '=') + std::string(kWidth - filled, ' ') + "]";
}

}  // namespace

Progress::Progress(std::string what, uint64_t total, uint64_t now_ns, int fd)
    : what_(std::move(what)), total_(total), next_draw_ns_(now_ns + kPatienceNs), fd_(isatty(fd) == 1 ? fd : -1) {}

Progress::~Progress() {
  if (drawn_) put(fd_, kFreshLine);
}

void Progress::at(uint64_t done, uint64_t now_ns) {
  if (fd_ < 0 || now_ns < next_draw_ns_) return;
  next_draw_ns_ = now_ns + kRedrawNs;
  drawn_ = true;
  const uint64_t percent = total_ == 0 ? 100 : std::min(done, total_) * 100 / total_;
  put(fd_,
      kFreshLine + bar(done, total_) + " " + std::to_string(percent) + "% of " + bytes_text(total_) + "  " + what_);
}

}  // namespace sidrec::cli
