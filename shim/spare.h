// A recorder that has finished and waits for the next host of its service (recorder/main/spare.h).
#pragma once

#include <cstdint>

namespace sidrec {

// Gives it this process's ring: a recorder without the start of another process. False when there is none, or none of
// the recorder's user; some microseconds either way.
bool hand_to_spare(uint64_t service, const char* ring_path);

// To the one in this slot: a non-blocking socket, or a negative number when there is none.
long connect_to_spare(uint64_t service, uint32_t slot);

}  // namespace sidrec
