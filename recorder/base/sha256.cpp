#include "recorder/base/sha256.h"

#include <algorithm>

namespace sidrec {

Sha256::Digest Sha256::finish() {
  Digest digest{};
  SHA256_Final(digest.data(), &state_);
  return digest;
}

std::string hex(const Sha256::Digest& digest) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : digest) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes, size_t digits) {
  Sha256 hash;
  hash.add(bytes);
  std::string text = hex(hash.finish());
  text.resize(std::min(digits, text.size()));
  return text;
}

}  // namespace sidrec
