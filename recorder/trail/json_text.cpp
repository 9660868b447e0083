#include "recorder/trail/json_text.h"

#if defined(__x86_64__)
#include <sys/platform/x86.h>
#include <tmmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "recorder/trail/utf8.h"

namespace sidrec {
namespace {

// Output is gathered here, then appended: std::string would clear the room it is asked to make before it is written.
constexpr size_t kScratch = 4096;

// Written for the compiler to make vector instructions of, as it does for x86-64 and arm64.
constexpr size_t kBlock = 16;
bool block_needs_escape(const uint8_t* block) {
  uint8_t found = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    found |= static_cast<uint8_t>((block[i] < 0x20) | (block[i] == '"') | (block[i] == '\\'));
  }
  return found != 0;
}

// What a byte becomes inside a JSON string: itself, or an escape of two or six characters. Always copied as eight, so
// that text full of line ends costs no mispredicted branch for each.
struct Escape {
  std::array<char, 7> text;
  uint8_t length;
};

constexpr Escape escape_of(uint8_t byte) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (byte) {
    case '"': return {{'\\', '"'}, 2};
    case '\\': return {{'\\', '\\'}, 2};
    case '\n': return {{'\\', 'n'}, 2};
    case '\r': return {{'\\', 'r'}, 2};
    case '\t': return {{'\\', 't'}, 2};
    default: break;
  }
  if (byte < 0x20) return {{'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]}, 6};
  return {{static_cast<char>(byte)}, 1};
}

constexpr std::array<Escape, 256> make_escapes() {
  std::array<Escape, 256> escapes{};
  for (unsigned byte = 0; byte < escapes.size(); ++byte) escapes[byte] = escape_of(static_cast<uint8_t>(byte));
  return escapes;
}
constexpr auto kEscapes = make_escapes();

char* put_escaped(char* to, uint8_t byte) {
  const Escape& escape = kEscapes[byte];
  std::memcpy(to, &escape, sizeof escape);
  return to + escape.length;
}

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

#if defined(__x86_64__)
// Twelve bytes become sixteen digits at a time, after W. Mula and D. Lemire, "Faster Base64 Encoding and Decoding using
// AVX2 Instructions" (2018). Returns how many bytes it took; it reads up to four more than that.
[[gnu::target("ssse3")]] size_t put_base64_blocks(const uint8_t* at, size_t bytes, char* to) {
  const __m128i spread = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
  // What is to be added to a number of 0 to 63, by its kind: 26 to 51, each numeral, '+', '/', 0 to 25.
  const __m128i kinds = _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                      '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
  size_t taken = 0;
  for (; bytes - taken >= sizeof(__m128i); taken += 12, to += sizeof(__m128i)) {
    // In each 32 bits the three bytes stand as b a c b, so that two multiplications shift each six bits into a byte.
    const __m128i in = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + taken)), spread);
    const __m128i first_third =
        _mm_mulhi_epu16(_mm_and_si128(in, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040));
    const __m128i second_fourth =
        _mm_mullo_epi16(_mm_and_si128(in, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010));
    const __m128i numbers = _mm_or_si128(first_third, second_fourth);
    const __m128i is_upper = _mm_cmpgt_epi8(_mm_set1_epi8(26), numbers);
    const __m128i kind =
        _mm_or_si128(_mm_subs_epu8(numbers, _mm_set1_epi8(51)), _mm_and_si128(is_upper, _mm_set1_epi8(13)));
    const __m128i digits = _mm_add_epi8(numbers, _mm_shuffle_epi8(kinds, kind));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), digits);
  }
  return taken;
}

bool has_blocks() {
  static const bool has = CPU_FEATURE_ACTIVE(SSSE3);
  return has;
}
#else
size_t put_base64_blocks(const uint8_t*, size_t, char*) { return 0; }
bool has_blocks() { return false; }
#endif

}  // namespace

bool append_json_text(std::string& out, std::string_view bytes) {
  if (!is_utf8(bytes)) return false;
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto* const end = at + bytes.size();
  std::array<char, kScratch> scratch;
  char* to = scratch.data();
  const char* const full = scratch.data() + kScratch - kBlock * sizeof(Escape);

  while (at < end) {
    if (to > full) {
      out.append(scratch.data(), static_cast<size_t>(to - scratch.data()));
      to = scratch.data();
    }
    const size_t length = std::min(kBlock, static_cast<size_t>(end - at));
    if (length == kBlock && !block_needs_escape(at)) {
      std::memcpy(to, at, kBlock);
      to += kBlock;
    } else {
      for (size_t i = 0; i < length; ++i) to = put_escaped(to, at[i]);
    }
    at += length;
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
    const auto* const end = at + whole;
    const size_t in_blocks = has_blocks() ? put_base64_blocks(at, whole, to) : 0;
    at += in_blocks;
    to += in_blocks / 3 * 4;
    for (; at < end; at += 3) {
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
