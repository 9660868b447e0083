// UtcTime: a second of wall-clock time as calendar fields (proleptic Gregorian, UTC), and back. Pure arithmetic:
// gmtime_r(3) would look for time zone files, which neither a trail's line nor its name needs.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sidrec {

struct UtcTime {
  uint32_t year, month, day, hour, minute, second;
};

inline constexpr uint64_t kMaxUtcSeconds = 253'402'300'799;  // 9999-12-31T23:59:59Z: four digits of year

inline UtcTime utc_of_seconds(uint64_t since_epoch) {
  const uint64_t seconds = std::min(since_epoch, kMaxUtcSeconds);
  const std::chrono::sys_days days{std::chrono::days{static_cast<int>(seconds / 86'400)}};
  const std::chrono::year_month_day date{days};
  const auto of_day = static_cast<uint32_t>(seconds % 86'400);
  return {static_cast<uint32_t>(static_cast<int>(date.year())),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          of_day / 3600,
          of_day / 60 % 60,
          of_day % 60};
}

inline uint64_t seconds_of_utc(const UtcTime& time) {
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(time.year)}, std::chrono::month{time.month},
                                         std::chrono::day{time.day}};
  const auto days = std::chrono::sys_days{date}.time_since_epoch().count();
  return static_cast<uint64_t>(days) * 86'400 + time.hour * 3600 + time.minute * 60 + time.second;
}

}  // namespace sidrec
