// The keys of signed seals: Ed25519 (RFC 8032), as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout`
// write them (PEM). A signature is over the 64 characters of a seal's hash, and stands in the trail as base64.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "recorder/base/result.h"

namespace sidrec {

// Signs. The recorder's alone.
class SealKey {
 public:
  // An error unless the file is ours or root's, and nobody else has a right to it.
  static Result<SealKey> load(const std::string& path);
  SealKey(SealKey&& other) noexcept;
  SealKey& operator=(SealKey&&) = delete;
  ~SealKey();

  std::string sign(std::string_view hash) const;

 private:
  SealKey() = default;
  std::array<uint8_t, 64> secret_{};
};

// Verifies, on any machine.
class SealPublicKey {
 public:
  static Result<SealPublicKey> load(const std::string& path);

  bool has_signed(std::string_view hash, std::string_view signature) const;

 private:
  SealPublicKey() = default;
  std::array<uint8_t, 32> key_{};
};

// Of the 88 characters that a signature is, and no others: base64 has one way only to write 64 bytes here.
bool is_signature(std::string_view text);

}  // namespace sidrec
