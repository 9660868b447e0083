// Progress: how far a long piece of work is, as one line on standard error that is drawn anew and goes away at the end.
// Only on a terminal, and only of work that takes longer than kPatienceNs.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>

namespace sidrec::cli {

class Progress {
 public:
  static constexpr uint64_t kPatienceNs = 2'000'000'000;
  static constexpr uint64_t kRedrawNs = 100'000'000;

  // `what`: printable. `total`: bytes. `fd`: a terminal, or nothing is ever shown; the caller's.
  Progress(std::string what, uint64_t total, uint64_t now_ns, int fd = STDERR_FILENO);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void at(uint64_t done, uint64_t now_ns);

 private:
  std::string what_;
  uint64_t total_;
  uint64_t next_draw_ns_;
  int fd_;
  bool drawn_ = false;
};

}  // namespace sidrec::cli
