// The seal of a trail (docs/trail-format.md, "Seals"): a line whose `hash` covers every byte from the hash of the seal
// before it (from the trail's first byte, where there is none) to its own hash. So the hashes are a chain, and each
// byte of a trail but the last hash is under exactly one of them. The writer seals, `sidrec verify` compares.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/base/result.h"
#include "recorder/base/sha256.h"
#include "recorder/trail/trail_bytes.h"

namespace sidrec {

class SealChain {
 public:
  // The trail's next bytes, in order.
  void add(std::string_view bytes) {
    hash_.add(bytes);
    bytes_ += bytes.size();
  }
  // Since the last seal, the last hash and what stands behind it included.
  uint64_t bytes() const { return bytes_; }
  // The hash of these bytes, in hexadecimal digits. The next seal's begins behind them.
  std::string close();

  // The trail's bytes in [from, to), which another master has written.
  Result<void> add_written(TrailBytes& trail, uint64_t from, uint64_t to);

 private:
  Sha256 hash_;
  uint64_t bytes_ = 0;
};

bool is_seal(std::string_view line);

// What a seal's line, without its '\n', says. Views into the line.
struct Seal {
  size_t hash_at = 0;  // where in the line the hash begins: so far the line is under its own seal
  std::string_view hash;
  std::string_view signature;  // empty where there is none
};

// Nothing unless the line has, from its hash on, the very bytes that append_seal_rest() writes.
std::optional<Seal> read_seal(std::string_view line);

// The end of a seal's line from its hash on; no signature where that is empty.
void append_seal_rest(std::string& out, std::string_view hash, std::string_view signature);

}  // namespace sidrec
