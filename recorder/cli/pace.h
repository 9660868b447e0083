// Pace: when a player shows what. Pure arithmetic over two clocks: the recorded time of events, and the player's own.
//
// Invariants
//  1. Between two events lies their recorded pause, at most max_idle, divided by the speed of each moment of it.
//  2. Wake-ups a little late do not add up: the next pause is that much shorter. After a long delay (a stopped process,
//     a slow reader) nothing is made up for: the pauses go on as recorded.
#pragma once

#include <cstdint>
#include <optional>

namespace sidrec::cli {

class Pace {
 public:
  // Speed 0: no pauses at all.
  Pace(double speed, uint64_t max_idle_ns, uint64_t now_ns)
      : speed_(speed), max_idle_ns_(max_idle_ns), now_ns_(now_ns) {}

  // The next event to be shown happened at `recorded_ns`; never before the one before it.
  void next(uint64_t recorded_ns);

  // It is `now_ns`.
  void clock(uint64_t now_ns);

  // So long from now the event is not due, 0: it is; nothing: not before a key is pressed.
  std::optional<uint64_t> left_ns() const;

  void pause_or_go_on();
  void step();  // this event now, then pause
  void faster();
  void slower();
  double speed() const { return speed_; }

 private:
  double speed_;
  const uint64_t max_idle_ns_;
  uint64_t now_ns_;
  uint64_t recorded_ns_ = 0;
  // Recorded time without what max_idle cut away: where the player is, and where the event is.
  double position_ns_ = 0;
  double event_ns_ = 0;
  bool paused_ = false;
  bool step_ = false;
};

}  // namespace sidrec::cli
