#include "recorder/trail/utf8.h"

#include <array>

namespace sidrec {
namespace {

// A deterministic automaton over bytes, its states 6 bits apart in a word: byte b takes state s to
// (kStep[b] >> s) & 63. One load and one shift for each byte, no branch to mispredict (P. Vognsen's shift-based DFA).
enum State : uint64_t {
  kAccept = 0,      // between two characters
  kReject = 6,      // for ever
  kLast = 12,       // one continuation is missing
  kTwo = 18,        // two are
  kAfterE0 = 24,    // two, the first not overlong
  kAfterEd = 30,    // two, no surrogate
  kAfterF0 = 36,    // three, the first not overlong
  kAfterF1F3 = 42,  // three
  kAfterF4 = 48,    // three, not above U+10FFFF
};
constexpr uint64_t kStateMask = 63;

constexpr uint64_t first_byte(unsigned byte) {
  if (byte < 0x80) return kAccept;
  if (byte < 0xc2 || byte > 0xf4) return kReject;
  if (byte < 0xe0) return kLast;
  if (byte == 0xe0) return kAfterE0;
  if (byte == 0xed) return kAfterEd;
  if (byte < 0xf0) return kTwo;
  if (byte == 0xf0) return kAfterF0;
  return byte == 0xf4 ? kAfterF4 : kAfterF1F3;
}

constexpr uint64_t step(unsigned byte) {
  const auto within = [byte](unsigned low, unsigned high, State next) {
    return byte >= low && byte <= high ? uint64_t{next} : uint64_t{kReject};
  };
  return first_byte(byte) << kAccept | uint64_t{kReject} << kReject | within(0x80, 0xbf, kAccept) << kLast |
         within(0x80, 0xbf, kLast) << kTwo | within(0xa0, 0xbf, kLast) << kAfterE0 |
         within(0x80, 0x9f, kLast) << kAfterEd | within(0x90, 0xbf, kTwo) << kAfterF0 |
         within(0x80, 0xbf, kTwo) << kAfterF1F3 | within(0x80, 0x8f, kTwo) << kAfterF4;
}

constexpr std::array<uint64_t, 256> make_steps() {
  std::array<uint64_t, 256> steps{};
  for (unsigned byte = 0; byte < steps.size(); ++byte) steps[byte] = step(byte);
  return steps;
}
constexpr auto kStep = make_steps();

// Written for the compiler to make vector instructions of.
constexpr size_t kAsciiBlock = 32;
bool is_ascii(const uint8_t* block) {
  uint8_t high = 0;
  for (size_t i = 0; i < kAsciiBlock; ++i) high |= block[i];
  return high < 0x80;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto* const end = at + bytes.size();
  uint64_t state = kAccept;
  for (; static_cast<size_t>(end - at) >= kAsciiBlock; at += kAsciiBlock) {
    if ((state & kStateMask) == kAccept && is_ascii(at)) continue;
    for (size_t i = 0; i < kAsciiBlock; ++i) state = kStep[at[i]] >> (state & kStateMask);
    if ((state & kStateMask) == kReject) return false;
  }
  for (; at < end; ++at) state = kStep[*at] >> (state & kStateMask);
  return (state & kStateMask) == kAccept;
}

}  // namespace sidrec
