// SHA-256 (FIPS 180-4) by OpenSSL's libcrypto: of names, so that a hostile SID cannot choose another's socket, and of
// what a folded transfer carried. Its low-level functions on purpose: those of EVP bring providers, half a megabyte and
// a millisecond into a small static program that may start once for each connection.
#pragma once

#define OPENSSL_API_COMPAT 10100  // SHA256_* are marked deprecated since 3.0 only
#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidrec {

class Sha256 {
 public:
  using Digest = std::array<uint8_t, SHA256_DIGEST_LENGTH>;

  Sha256() { SHA256_Init(&state_); }
  void add(std::string_view bytes) { SHA256_Update(&state_, bytes.data(), bytes.size()); }
  // Of all that was added; nothing more can be.
  Digest finish();

 private:
  SHA256_CTX state_;
};

std::string hex(const Sha256::Digest& digest);

// The first `digits` (at most 64) lower-case hexadecimal digits of the hash.
std::string sha256_hex(std::string_view bytes, size_t digits);

}  // namespace sidrec
