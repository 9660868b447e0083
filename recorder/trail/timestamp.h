// The trail's `ts`: RFC 3339, UTC, microseconds, always 27 characters ("2026-11-23T22:30:00.000098Z").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sidrec {

inline constexpr size_t kTimestampLength = 27;

// Formats; keeps the date and time of the last second, as most lines share theirs with the line before.
class TimestampWriter {
 public:
  // Writes kTimestampLength characters. Beyond the year 9999: its last second.
  void write(char* to, uint64_t wall_ns);

 private:
  uint64_t second_ = ~uint64_t{0};
  std::array<char, 20> prefix_{};  // "2026-11-23T22:30:00."
};

// Nanoseconds since 1970; nothing if `text` is not a ts.
std::optional<uint64_t> parse_timestamp(std::string_view text);

// The same for line after line: keeps the last second.
class TimestampReader {
 public:
  std::optional<uint64_t> read(std::string_view text);

 private:
  std::array<char, 20> prefix_{};  // "2026-11-23T22:30:00."
  uint64_t prefix_ns_ = 0;
};

}  // namespace sidrec
