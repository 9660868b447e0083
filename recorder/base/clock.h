// The two clocks, in nanoseconds (clock_gettime(2)). Records carry CLOCK_MONOTONIC; the trail's `ts` adds one
// offset that is fixed for the session's life, so a step of the wall clock never reorders a trail.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>

namespace sidrec {

inline uint64_t clock_ns(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(ts.tv_nsec);
}

inline uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
inline int64_t wall_clock_offset_ns() {
  return static_cast<int64_t>(clock_ns(CLOCK_REALTIME)) - static_cast<int64_t>(monotonic_ns());
}

inline constexpr uint64_t kMillisecond = 1'000'000;
inline constexpr uint64_t kSecond = 1'000'000'000;

// `soonest` becomes `other` if that is earlier: deadlines, of which there may be none.
inline void sooner(std::optional<uint64_t>& soonest, std::optional<uint64_t> other) {
  if (other && (!soonest || *other < *soonest)) soonest = other;
}

}  // namespace sidrec
