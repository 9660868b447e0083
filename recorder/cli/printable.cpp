#include "recorder/cli/printable.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "recorder/trail/utf8.h"

namespace sidrec::cli {
namespace {

uint32_t code_point(const uint8_t* at, size_t length) {
  if (length == 1) return at[0];
  uint32_t value = at[0] & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) value = value << 6 | (at[i] & 0x3fu);
  return value;
}

bool within(uint32_t value, uint32_t low, uint32_t high) { return value >= low && value <= high; }

// Beyond ASCII: C1 controls, soft hyphen, zero width and bidirectional marks, line separators, BOM, tags.
bool is_treacherous(uint32_t c) {
  return within(c, 0x80, 0x9f) || c == 0xad || c == 0x61c || within(c, 0x200b, 0x200f) || within(c, 0x2028, 0x202e) ||
         within(c, 0x2060, 0x206f) || c == 0xfeff || within(c, 0xfff9, 0xfffb) || within(c, 0xe0000, 0xe007f);
}

std::string hex(uint32_t value) {
  std::array<char, 8> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), value, 16).ptr;
  return std::string(digits.begin(), end);
}

std::string byte_escape(uint8_t byte) { return (byte < 0x10 ? "\\x0" : "\\x") + hex(byte); }

void append_ascii(std::string& out, uint8_t byte) {
  switch (byte) {
    case '\r': out += "\\r"; return;
    case '\n': out += "\\n"; return;
    case '\t': out += "\\t"; return;
    case '\\': out += "\\\\"; return;
    default: break;
  }
  if (byte >= 0x20 && byte < 0x7f) {
    out += static_cast<char>(byte);
  } else {
    out += byte_escape(byte);
  }
}

}  // namespace

std::string printable(std::string_view bytes, size_t limit) {
  std::string out;
  const auto* const begin = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto* const end = begin + bytes.size();
  const auto* const stop = begin + std::min(limit, bytes.size());
  const auto* at = begin;
  while (at < stop) {
    const size_t length = utf8_sequence(at, end);
    if (length == 0) {
      out += byte_escape(*at++);
      continue;
    }
    if (length == 1) {
      append_ascii(out, *at);
    } else if (const uint32_t c = code_point(at, length); is_treacherous(c)) {
      out += "\\u{" + hex(c) + "}";
    } else {
      out.append(reinterpret_cast<const char*>(at), length);
    }
    at += length;
  }
  if (at < end) out += " … " + std::to_string(end - at) + " more bytes";
  return out;
}

size_t columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace sidrec::cli
