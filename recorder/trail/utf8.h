// UTF-8 as RFC 3629 has it: no surrogates, nothing overlong, nothing above U+10FFFF.
// is_utf8() is for the trail's writer (text or b64?), fast; utf8_sequence() for showing a trail on a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sidrec {

// Length of the valid sequence at `at`, 1 to 4; 0 when there is none. at < end.
inline size_t utf8_sequence(const uint8_t* at, const uint8_t* end) {
  const uint8_t lead = *at;
  if (lead < 0x80) return 1;
  const auto left = static_cast<size_t>(end - at);
  const auto within = [](uint8_t byte, uint8_t low, uint8_t high) { return byte >= low && byte <= high; };
  if (within(lead, 0xc2, 0xdf)) return left >= 2 && within(at[1], 0x80, 0xbf) ? 2 : 0;
  if (within(lead, 0xe0, 0xef)) {
    const uint8_t low = lead == 0xe0 ? 0xa0 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : 0xbf;
    return left >= 3 && within(at[1], low, high) && within(at[2], 0x80, 0xbf) ? 3 : 0;
  }
  if (within(lead, 0xf0, 0xf4)) {
    const uint8_t low = lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xf4 ? 0x8f : 0xbf;
    const bool valid = left >= 4 && within(at[1], low, high) && within(at[2], 0x80, 0xbf) && within(at[3], 0x80, 0xbf);
    return valid ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view bytes);

}  // namespace sidrec
