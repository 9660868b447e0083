#include "recorder/trail/timestamp.h"

#include <cstring>

#include "recorder/base/utc_time.h"

namespace sidrec {
namespace {

void put_digits(char* to, size_t count, uint64_t value) {
  for (size_t i = count; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

constexpr std::string_view kShape = "0000-00-00T00:00:00.000000Z";
static_assert(kShape.size() == kTimestampLength);

bool has_shape(std::string_view text, size_t from = 0) {
  if (text.size() != kShape.size()) return false;
  for (size_t i = from; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return false;
  }
  return true;
}

uint32_t digits_at(std::string_view text, size_t at, size_t count) {
  uint32_t value = 0;
  for (const char c : text.substr(at, count)) value = value * 10 + static_cast<uint32_t>(c - '0');
  return value;
}

}  // namespace

void TimestampWriter::write(char* to, uint64_t wall_ns) {
  const uint64_t second = wall_ns / 1'000'000'000;
  if (second != second_) {
    second_ = second;
    const UtcTime t = utc_of_seconds(second);
    std::memcpy(prefix_.data(), kShape.data(), prefix_.size());
    put_digits(&prefix_[0], 4, t.year);
    put_digits(&prefix_[5], 2, t.month);
    put_digits(&prefix_[8], 2, t.day);
    put_digits(&prefix_[11], 2, t.hour);
    put_digits(&prefix_[14], 2, t.minute);
    put_digits(&prefix_[17], 2, t.second);
  }
  std::memcpy(to, prefix_.data(), prefix_.size());
  put_digits(to + prefix_.size(), 6, wall_ns % 1'000'000'000 / 1000);
  to[kTimestampLength - 1] = 'Z';
}

std::optional<uint64_t> parse_timestamp(std::string_view text) {
  if (!has_shape(text)) return std::nullopt;
  const UtcTime t{digits_at(text, 0, 4),  digits_at(text, 5, 2),  digits_at(text, 8, 2),
                  digits_at(text, 11, 2), digits_at(text, 14, 2), digits_at(text, 17, 2)};
  // 64 bits of nanoseconds end in 2554.
  const bool in_range = t.year >= 1970 && t.year < 2554 && t.month >= 1 && t.month <= 12 && t.day >= 1 && t.day <= 31 &&
                        t.hour < 24 && t.minute < 60 && t.second < 60;
  if (!in_range) return std::nullopt;
  return seconds_of_utc(t) * 1'000'000'000 + uint64_t{digits_at(text, 20, 6)} * 1000;
}

std::optional<uint64_t> TimestampReader::read(std::string_view text) {
  const bool same_second = text.starts_with(std::string_view(prefix_.data(), prefix_.size()));
  if (same_second && has_shape(text, prefix_.size())) return prefix_ns_ + uint64_t{digits_at(text, 20, 6)} * 1000;
  const auto wall = parse_timestamp(text);
  if (wall) {
    text.copy(prefix_.data(), prefix_.size());
    prefix_ns_ = *wall / 1'000'000'000 * 1'000'000'000;
  }
  return wall;
}

}  // namespace sidrec
