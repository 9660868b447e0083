// Makes and maps the ring's file. Holds no descriptor afterwards: the shared flock lives in the mappings.
#pragma once

#include <cstdint>

#include "shim/ring_layout.h"

namespace sidrec {

struct RingShape {
  uint32_t lanes;
  uint32_t lane_bytes;
};

struct MadeRing {
  ring::Header* header;
  bool has_recorder;  // one that made it, or that was waiting
  long error;         // without a header: why, negative
};

// What this process knows of its ring by itself. The header says the same to the recorder, and is believed nothing
// here: a compromised process that shares the ring may have written to it (DESIGN D2).
struct OwnRing {
  RingShape shape;
  char id[ring::kMaxProgram];
};
extern OwnRing g_own_ring;

// No header when it cannot be had: no right to the directory, no space, RLIMIT_FSIZE too small. Leaves nothing behind
// then.
MadeRing make_ring(const RingShape& shape, uint32_t pid, uint64_t service);
// Unmaps it; the file stays, for others may have it.
void drop_ring(ring::Header* header);
// Lays anonymous memory over a lane: this process gives it up, the others keep it.
void give_up_lane(ring::Header* header, uint32_t lane);

void ring_path(char (&path)[ring::kMaxPath + 64]);

inline ring::LaneControl* lane_control(ring::Header* header, uint32_t lane) {
  return reinterpret_cast<ring::LaneControl*>(reinterpret_cast<char*>(header) + ring::kHeaderBytes +
                                              lane * ring::lane_stride(g_own_ring.shape.lane_bytes));
}

}  // namespace sidrec
