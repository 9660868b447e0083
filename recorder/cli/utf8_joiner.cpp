#include "recorder/cli/utf8_joiner.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "recorder/trail/utf8.h"

namespace sidrec::cli {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// For each lead byte, one of these may stand second; behind the second, 0x80 always may.
constexpr uint8_t kSecond[] = {0x80, 0x90, 0xa0};

bool can_be_completed(const uint8_t* at, size_t length) {
  for (const uint8_t second : kSecond) {
    std::array<uint8_t, 4> whole = {0x80, second, 0x80, 0x80};
    std::copy_n(at, length, whole.data());
    if (utf8_sequence(whole.data(), whole.data() + whole.size()) > length) return true;
  }
  return false;
}

// Length of the longest beginning of a character at `at` that is cut short there: 0 to 3.
size_t unfinished(const uint8_t* at, const uint8_t* end) {
  size_t length = std::min<size_t>(3, static_cast<size_t>(end - at));
  while (length > 0 && !can_be_completed(at, length)) --length;
  return length;
}

}  // namespace

std::string Utf8Joiner::join(std::string_view bytes) {
  const std::string all = std::exchange(kept_, {}).append(bytes);
  std::string text;
  text.reserve(all.size());
  const auto* at = reinterpret_cast<const uint8_t*>(all.data());
  const auto* const end = at + all.size();
  while (at < end) {
    const auto* const valid = at;
    size_t length = 0;
    while (at < end && (length = utf8_sequence(at, end)) > 0) at += length;
    text.append(reinterpret_cast<const char*>(valid), static_cast<size_t>(at - valid));
    if (at == end) break;
    const size_t begun = unfinished(at, end);
    if (begun > 0 && at + begun == end) {
      kept_.assign(reinterpret_cast<const char*>(at), begun);
      break;
    }
    text += kReplacement;
    at += std::max<size_t>(1, begun);
  }
  return text;
}

std::string Utf8Joiner::finish() {
  return std::exchange(kept_, {}).empty() ? std::string() : std::string(kReplacement);
}

}  // namespace sidrec::cli
