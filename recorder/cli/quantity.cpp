#include "recorder/cli/quantity.h"

#include <charconv>
#include <span>
#include <utility>

namespace sidrec::cli {
namespace {

using UnitSize = std::pair<std::string_view, uint64_t>;

std::optional<uint64_t> quantity_in(std::string_view text, std::span<const UnitSize> units) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  for (const auto& [name, size] : units) {
    uint64_t product = 0;
    if (text == name && !__builtin_mul_overflow(number, size, &product)) return product;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> seconds_in(std::string_view text) {
  constexpr UnitSize kUnits[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}, {"w", 604'800}};
  return quantity_in(text, kUnits);
}

std::optional<uint64_t> bytes_in(std::string_view text) {
  constexpr UnitSize kUnits[] = {{"", 1}, {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {"T", 1ull << 40}};
  return quantity_in(text, kUnits);
}

}  // namespace sidrec::cli
