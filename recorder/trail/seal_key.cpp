#include "recorder/trail/seal_key.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <vector>

#include "recorder/base/unique_fd.h"

namespace sidrec {
namespace {

constexpr size_t kMaxKeyFileBytes = 4096;
constexpr int kBase64 = sodium_base64_VARIANT_ORIGINAL;

using Seed = std::array<uint8_t, crypto_sign_SEEDBYTES>;
using Signature = std::array<uint8_t, crypto_sign_BYTES>;

// What stands before the 32 bytes of a key (RFC 8410, section 10).
constexpr std::array<uint8_t, 16> kPrivateHead = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                  0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::array<uint8_t, 12> kPublicHead = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

Result<UniqueFd> open_key(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return errno_error("cannot open the key " + path);
  return fd;
}

Result<void> check_is_secret(int fd, const std::string& path) {
  struct stat found {};
  if (fstat(fd, &found) != 0) return errno_error("cannot look at the key " + path);
  const bool trusted = found.st_uid == geteuid() || found.st_uid == 0;
  if (S_ISREG(found.st_mode) && trusted && (found.st_mode & (S_IRWXG | S_IRWXO)) == 0) return {};
  return Error{"the key " + path + " must be a file of the recorder's user or root, mode 0600 or 0400", EPERM};
}

std::string read_key(int fd) {
  std::string text(kMaxKeyFileBytes, '\0');
  const ssize_t got = read(fd, text.data(), text.size());
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

// The 32 bytes of the key in a PEM file of `label` ("PRIVATE KEY"), whose contents begin with `head`.
template <size_t N>
std::optional<Seed> key_in_pem(const std::string& pem, const std::string& label, const std::array<uint8_t, N>& head) {
  const std::string begin = "-----BEGIN " + label + "-----", end = "-----END " + label + "-----";
  const size_t from = pem.find(begin), to = pem.find(end);
  if (from == std::string::npos || to == std::string::npos || to < from + begin.size()) return std::nullopt;
  const size_t base64 = from + begin.size();
  std::array<uint8_t, N + std::tuple_size_v<Seed>> der;
  size_t length = 0;
  const bool decoded = sodium_base642bin(der.data(), der.size(), pem.data() + base64, to - base64, "\r\n", &length,
                                         nullptr, kBase64) == 0;
  std::optional<Seed> key;
  if (decoded && length == der.size() && std::equal(head.begin(), head.end(), der.begin())) {
    key.emplace();
    std::copy(der.begin() + N, der.end(), key->begin());
  }
  sodium_memzero(der.data(), der.size());
  return key;
}

std::optional<Signature> signature_of(std::string_view text) {
  Signature signature;
  size_t length = 0;
  // Refuses bits that are no part of a byte: there is one spelling of a signature.
  const bool decoded = sodium_base642bin(signature.data(), signature.size(), text.data(), text.size(), nullptr, &length,
                                         nullptr, kBase64) == 0;
  if (!decoded || length != signature.size()) return std::nullopt;
  return signature;
}

const uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

}  // namespace

Result<SealKey> SealKey::load(const std::string& path) {
  const auto fd = open_key(path);
  if (!fd) return fd.error();
  if (auto secret = check_is_secret(fd->get(), path); !secret) return secret.error();
  std::string pem = read_key(fd->get());
  auto seed = key_in_pem(pem, "PRIVATE KEY", kPrivateHead);
  sodium_memzero(pem.data(), pem.size());
  if (!seed) return Error{path + " holds no private Ed25519 key (openssl genpkey -algorithm ed25519)", EINVAL};
  SealKey key;
  std::array<uint8_t, crypto_sign_PUBLICKEYBYTES> unused;
  static_assert(std::tuple_size_v<decltype(secret_)> == crypto_sign_SECRETKEYBYTES);
  crypto_sign_seed_keypair(unused.data(), key.secret_.data(), seed->data());
  sodium_memzero(seed->data(), seed->size());
  return key;
}

SealKey::SealKey(SealKey&& other) noexcept : secret_(other.secret_) {
  sodium_memzero(other.secret_.data(), other.secret_.size());
}

SealKey::~SealKey() { sodium_memzero(secret_.data(), secret_.size()); }

std::string SealKey::sign(std::string_view hash) const {
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, bytes_of(hash), hash.size(), secret_.data());
  std::string text(sodium_base64_ENCODED_LEN(signature.size(), kBase64), '\0');
  sodium_bin2base64(text.data(), text.size(), signature.data(), signature.size(), kBase64);
  text.pop_back();  // the '\0' it ends with
  return text;
}

Result<SealPublicKey> SealPublicKey::load(const std::string& path) {
  const auto fd = open_key(path);
  if (!fd) return fd.error();
  const auto found = key_in_pem(read_key(fd->get()), "PUBLIC KEY", kPublicHead);
  if (!found) return Error{path + " holds no public Ed25519 key (openssl pkey -pubout)", EINVAL};
  SealPublicKey key;
  key.key_ = *found;
  return key;
}

bool SealPublicKey::has_signed(std::string_view hash, std::string_view text) const {
  const auto signature = signature_of(text);
  return signature && crypto_sign_verify_detached(signature->data(), bytes_of(hash), hash.size(), key_.data()) == 0;
}

bool is_signature(std::string_view text) { return signature_of(text).has_value(); }

}  // namespace sidrec
