#include "recorder/cli/install/step.h"

#include <cerrno>
#include <csignal>
#include <iostream>
#include <sstream>

namespace sidrec::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

// While it lives an interruption is only noted: steps are short, and end at their own border.
class Interruptions {
 public:
  Interruptions() {
    g_interrupted = 0;
    struct sigaction note {};
    note.sa_handler = [](int) { g_interrupted = 1; };
    note.sa_flags = SA_RESTART;
    for (size_t i = 0; i < kCount; ++i) ::sigaction(kSignals[i], &note, &before_[i]);
  }
  ~Interruptions() {
    for (size_t i = 0; i < kCount; ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

  Result<void> none_so_far() const {
    if (g_interrupted == 0) return {};
    return Error{"interrupted", EINTR};
  }

 private:
  static constexpr size_t kCount = 3;
  static constexpr int kSignals[kCount] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[kCount];
};

Result<void> apply_all(const std::vector<Step*>& steps, const Interruptions& interruptions, size_t& applied) {
  for (Step* step : steps) {
    if (auto going_on = interruptions.none_so_far(); !going_on) return going_on;
    if (auto done = step->apply(); !done) return done;
    ++applied;
    std::cout << "done: " << step->what() << std::endl;
  }
  return interruptions.none_so_far();
}

}  // namespace

Result<std::vector<Step*>> pending(const Steps& steps) {
  std::vector<Step*> open;
  for (const auto& step : steps) {
    const auto done = step->is_done();
    if (!done) return done.error();
    if (!*done) open.push_back(step.get());
  }
  return open;
}

void show(const std::vector<Step*>& steps) {
  for (const Step* step : steps) {
    std::cout << step->what() << '\n';
    std::istringstream lines(step->contents());
    for (std::string line; std::getline(lines, line);) std::cout << "    " << line << '\n';
  }
}

Result<void> carry_out(const std::vector<Step*>& steps, const std::function<Result<void>()>& verdict) {
  const Interruptions interruptions;
  size_t applied = 0;
  Result<void> outcome = apply_all(steps, interruptions, applied);
  if (outcome) outcome = verdict();
  if (outcome) return {};
  while (applied > 0) steps[--applied]->take_back();
  return Error{outcome.error().message + "; all that was done is taken back", outcome.error().code};
}

}  // namespace sidrec::cli
