#include "recorder/trail/json_text.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "recorder/trail/utf8.h"

namespace sidrec {
namespace {

static_assert(std::endian::native == std::endian::little, "the first byte of a word is its lowest");

// Output is gathered here, then appended: std::string would clear the room it is asked to make before it is written.
constexpr size_t kScratch = 4096;
constexpr size_t kLongestEscape = 6;  // \u00XX

constexpr char kHex[] = "0123456789abcdef";
constexpr uint64_t kOnes = 0x0101010101010101u;
constexpr uint64_t kHighBits = 0x8080808080808080u;

// The high bit of each byte that cannot be copied as it is: below 0x20, '"', '\\', or not ASCII. Exact for the
// lowest such byte, which is all that is asked: a subtraction borrows only from bytes above a byte it has marked.
uint64_t special_bytes(uint64_t word) {
  const uint64_t control = word - kOnes * 0x20;
  const uint64_t quote = (word ^ (kOnes * '"')) - kOnes;
  const uint64_t backslash = (word ^ (kOnes * '\\')) - kOnes;
  return (control | quote | backslash | word) & kHighBits;
}

char short_escape(uint8_t byte) {
  switch (byte) {
    case '"': return '"';
    case '\\': return '\\';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
  }
}

char* put_escape(char* to, uint8_t byte) {
  *to++ = '\\';
  if (const char letter = short_escape(byte); letter != 0) {
    *to++ = letter;
    return to;
  }
  std::memcpy(to, "u00", 3);
  to[3] = kHex[byte >> 4];
  to[4] = kHex[byte & 15];
  return to + 5;
}

bool is_special(uint8_t byte) { return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80; }

// Two base64 digits for each 12 bits.
constexpr std::array<std::array<char, 2>, 4096> make_base64_pairs() {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::array<char, 2>, 4096> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i >> 6], kDigits[i & 63]};
  return pairs;
}
constexpr auto kBase64Pairs = make_base64_pairs();

char* put_base64_group(char* to, uint32_t bits) {
  std::memcpy(to, kBase64Pairs[bits >> 12].data(), 2);
  std::memcpy(to + 2, kBase64Pairs[bits & 0xfff].data(), 2);
  return to + 4;
}

}  // namespace

bool append_json_text(std::string& out, std::string_view bytes) {
  const size_t start = out.size();
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto* const end = at + bytes.size();
  std::array<char, kScratch> scratch;
  char* to = scratch.data();
  char* const full = scratch.data() + kScratch - 2 * sizeof(uint64_t) - kLongestEscape;

  while (at < end) {
    if (to > full) {
      out.append(scratch.data(), static_cast<size_t>(to - scratch.data()));
      to = scratch.data();
    }
    if (static_cast<size_t>(end - at) >= sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, at, sizeof word);
      std::memcpy(to, &word, sizeof word);
      const uint64_t special = special_bytes(word);
      const size_t plain = special == 0 ? sizeof word : static_cast<size_t>(std::countr_zero(special)) / 8;
      at += plain;
      to += plain;
      if (special == 0) continue;
    } else if (!is_special(*at)) {
      *to++ = static_cast<char>(*at++);
      continue;
    }
    if (*at < 0x80) {
      to = put_escape(to, *at++);
      continue;
    }
    const size_t length = utf8_sequence(at, end);
    if (length == 0) {
      out.resize(start);
      return false;
    }
    std::memcpy(to, at, length);
    at += length;
    to += length;
  }
  out.append(scratch.data(), static_cast<size_t>(to - scratch.data()));
  return true;
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr size_t kChunk = kScratch / 4 * 3;
  std::array<char, kScratch> scratch;
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t left = bytes.size();
  while (left >= 3) {
    const size_t whole = (left < kChunk ? left : kChunk) / 3 * 3;
    char* to = scratch.data();
    for (const auto* const end = at + whole; at < end; at += 3) {
      to = put_base64_group(to, uint32_t{at[0]} << 16 | uint32_t{at[1]} << 8 | at[2]);
    }
    out.append(scratch.data(), static_cast<size_t>(to - scratch.data()));
    left -= whole;
  }
  if (left == 0) return;
  const uint32_t second = left == 2 ? at[1] : 0u;
  char* to = put_base64_group(scratch.data(), uint32_t{at[0]} << 16 | second << 8);
  to[-1] = '=';
  if (left == 1) to[-2] = '=';
  out.append(scratch.data(), 4);
}

void append_json_name(std::string& out, std::string_view name) {
  out += '"';
  if (!append_json_text(out, name)) {
    constexpr char kUpperHex[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : name) {
      const auto byte = static_cast<uint8_t>(c);
      if (byte >= 0x20 && byte < 0x7f && byte != '%') {
        encoded += c;
      } else {
        encoded += '%';
        encoded += kUpperHex[byte >> 4];
        encoded += kUpperHex[byte & 15];
      }
    }
    [[maybe_unused]] const bool ascii = append_json_text(out, encoded);
  }
  out += '"';
}

}  // namespace sidrec
