// One direction of one connection, or of a channel in it, put together from a trail by `off`. For `sidrec cat`.
//
// Invariants
//  1. The bytes handed out are the connection's, from offset 0, without a hole and without one twice; where the trail
//     cannot give the next one, that is an outcome with offset and reason, and nothing behind it is handed out.
//  2. Memory does not grow with the trail: bytes go out as their lines come. Only lines ahead of their turn are
//     remembered, by place, at most kMaxAhead of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "recorder/base/result.h"
#include "recorder/event/event.h"
#include "recorder/trail/reader.h"

namespace sidrec {

struct Reassembly {
  uint64_t bytes = 0;       // handed out
  bool connection = false;  // the trail knows the connection (the channel) at all
  bool closed = false;      // and holds its close
  std::string hole;         // empty: none. Else a sentence that names offset, length and reason
};

// "12 bytes at offset 7", as every sentence about a hole names it.
std::string span_text(uint64_t off, uint64_t len);

// What a close calls the final offset of a direction.
inline constexpr const char* kFinalOffsets[kDirections] = {"bytes_in", "bytes_out", "bytes_err"};

inline constexpr size_t kMaxAhead = 1024 * 1024;

// `sink` answers false to stop (its reader has gone): then what was found so far is returned.
// `chan` empty: the connection's own bytes.
Result<Reassembly> reassemble(TrailReader& reader, std::string_view conn, std::string_view chan, Direction dir,
                              const std::function<bool(std::string_view)>& sink);

}  // namespace sidrec
