#include "recorder/cli/pace.h"

#include <algorithm>
#include <cmath>

#include "recorder/base/clock.h"

namespace sidrec::cli {

constexpr double kLateNs = 200.0 * kMillisecond;
constexpr double kSlowest = 1.0 / 64, kFastest = 1024;

void Pace::next(uint64_t recorded_ns) {
  step_ = false;
  if (position_ns_ > event_ns_ + kLateNs * speed_) position_ns_ = event_ns_;
  const uint64_t pause = recorded_ns - std::min(recorded_ns, recorded_ns_);
  event_ns_ += static_cast<double>(std::min(pause, max_idle_ns_));
  recorded_ns_ = recorded_ns;
}

void Pace::clock(uint64_t now_ns) {
  if (!paused_) position_ns_ += static_cast<double>(now_ns - now_ns_) * speed_;
  now_ns_ = now_ns;
}

std::optional<uint64_t> Pace::left_ns() const {
  if (paused_ && !step_) return std::nullopt;
  if (step_ || speed_ == 0 || position_ns_ >= event_ns_) return 0;
  return static_cast<uint64_t>(std::ceil((event_ns_ - position_ns_) / speed_));
}

void Pace::pause_or_go_on() { paused_ = !paused_; }

void Pace::step() {
  paused_ = step_ = true;
  position_ns_ = event_ns_;
}

void Pace::faster() {
  if (speed_ < kFastest) speed_ *= 2;
}

void Pace::slower() {
  if (speed_ > kSlowest) speed_ /= 2;
}

}  // namespace sidrec::cli
