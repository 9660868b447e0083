// Times and sizes as a person writes them: a whole number and a unit.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sidrec::cli {

// "90s", "15m", "12h", "30d", "4w", in seconds. Nothing for anything else, or past 2^64.
std::optional<uint64_t> seconds_in(std::string_view text);

// "4096", "500K", "20M", "10G", "2T", in bytes; a K is 1024.
std::optional<uint64_t> bytes_in(std::string_view text);

}  // namespace sidrec::cli
