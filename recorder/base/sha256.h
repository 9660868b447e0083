// SHA-256 (FIPS 180-4), for names only: a hostile SID must not be able to choose the name of another's socket or
// directory, so the hash is a collision-resistant one. Written here because the recorder is static and small.
// `printf %s SID | sha256sum` gives the same digits. Not for bulk.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidrec {

std::array<uint8_t, 32> sha256(std::string_view bytes);

// The first `digits` (at most 64) lower-case hexadecimal digits of the hash.
std::string sha256_hex(std::string_view bytes, size_t digits);

}  // namespace sidrec
