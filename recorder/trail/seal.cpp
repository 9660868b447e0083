#include "recorder/trail/seal.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace sidrec {
namespace {

constexpr std::string_view kHashKey = R"(,"hash":")";
constexpr std::string_view kSignatureKey = R"(","sig":")";
constexpr size_t kHashDigits = 64;

}  // namespace

std::string SealChain::close() {
  bytes_ = 0;
  return hex(std::exchange(hash_, Sha256()).finish());
}

Result<void> SealChain::add_written(TrailBytes& trail, uint64_t from, uint64_t to) {
  constexpr uint64_t kPieceBytes = 256 * 1024;
  std::vector<char> buffer(kPieceBytes);
  while (from < to) {
    const auto got = trail.read_at(from, buffer.data(), std::min(kPieceBytes, to - from));
    if (!got) return got.error();
    if (*got == 0) return Error{trail.path() + " has become shorter while it was read", EIO};
    add({buffer.data(), *got});
    from += *got;
  }
  return {};
}

bool is_seal(std::string_view line) { return line.starts_with(R"({"ev":"seal",)"); }

std::optional<Seal> read_seal(std::string_view line) {
  // In a JSON string the quotes would be escaped, so these are the keys.
  const size_t key = line.find(kHashKey);
  if (!is_seal(line) || key == std::string_view::npos) return std::nullopt;
  Seal seal;
  seal.hash_at = key + kHashKey.size();
  const std::string_view rest = line.substr(seal.hash_at);
  seal.hash = rest.substr(0, kHashDigits);
  if (const size_t sig = rest.find(kSignatureKey); sig != std::string_view::npos) {
    seal.signature = rest.substr(sig + kSignatureKey.size());
    seal.signature = seal.signature.substr(0, seal.signature.find('"'));
  }
  std::string written;
  append_seal_rest(written, seal.hash, seal.signature);
  written.pop_back();  // its '\n'
  if (rest != written) return std::nullopt;
  return seal;
}

void append_seal_rest(std::string& out, std::string_view hash, std::string_view signature) {
  out.append(hash);
  if (!signature.empty()) out.append(kSignatureKey).append(signature);
  out += "\"}\n";
}

}  // namespace sidrec
