// A recorder that has finished and waits for the next host of its service (recorder/main/spare.h).
#pragma once

#include <cstdint>

namespace sidrec {

// The one in this slot: a non-blocking socket, or a negative number when there is none, or none of the recorder's user.
// Some microseconds either way.
long connect_to_spare(uint64_t service, uint32_t slot);

}  // namespace sidrec
