// TrailCheck: whether a trail is what its recorders wrote: every line a trail's line, `seq` dense, the bytes of every
// connection and channel dense, the sums of its closes and of session.end right, and every seal fitting the bytes it is
// over (docs/trail-format.md, "Seals"). One pass; memory for open connections only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "recorder/base/result.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/seal_key.h"

namespace sidrec {

struct TrailCheck {
  std::string wrong_line;  // "FILE:LINE: why", of the first line that is; empty where none is
  bool ended = false;
  uint64_t lines = 0;
  uint64_t bytes = 0;  // of whole lines
  uint64_t seals = 0;
  uint64_t signed_seals = 0;
  std::string last_line;        // "FILE:LINE"; where there is none, the file
  std::string unsealed_line;    // the first one that is under no seal; empty: all are
  uint64_t unsealed_bytes = 0;  // in whole lines
  uint64_t torn_bytes = 0;      // behind the last whole line: it is being written, or has been cut
};

// `key`: what the last seal must be signed with, and every other that is signed; null: signatures are not looked at.
// `progress`: told every MiB or so how many bytes have been read.
// An error where the file cannot be read; a trail that is wrong is an outcome.
Result<TrailCheck> check_trail(TrailReader& reader, const SealPublicKey* key,
                               const std::function<void(uint64_t bytes)>& progress);

// The first thing that is wrong with the trail: of its lines, else of the whole: one that has ended must be
// sealed to its last byte, one that has not must be `live`, its master at work. Empty: nothing.
std::string fault_of(const TrailCheck& check, bool live);

}  // namespace sidrec
