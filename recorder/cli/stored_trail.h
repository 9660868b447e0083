// StoredTrail: a trail as what it takes of the store: for `sidrec prune`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/trail/trail_store.h"

namespace sidrec::cli {

struct StoredTrail {
  TrailFile trail;
  std::vector<std::string> files;  // its segments, in their order
  uint64_t bytes = 0;              // of all of them
  // Of a session that has ended; else empty.
  std::string sid;
  std::string ended;  // the ts of session.end
  uint64_t ended_ns = 0;
  std::string hash;  // of its last seal; empty where there is none

  bool has_ended() const { return ended_ns != 0; }
};

Result<StoredTrail> look_at(const TrailFile& trail);

// The sizes of these files; what is gone meanwhile counts nothing.
uint64_t bytes_of(const std::vector<std::string>& files);

struct RetentionLimits {
  std::optional<uint64_t> older_than_s;  // since its end
  std::optional<uint64_t> max_bytes;     // of the whole store, unfinished and live trails included
};

struct Removal {
  size_t index;  // in the trails that were given
  const char* why;
};

// Which of these must go: those that ended too long ago, and then the oldest by their end until the rest fits. Never
// one that has not ended.
std::vector<Removal> choose_removals(const std::vector<StoredTrail>& trails, const RetentionLimits& limits,
                                     uint64_t now_ns);

}  // namespace sidrec::cli
