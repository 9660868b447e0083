// MadeRing: a ring that the recorder makes for its host, because the host's user has no right to anything of ours
// (DESIGN D13; shim/ring_layout.h says who says what). Nothing the host says is believed but what it records.
#pragma once

#include <sys/types.h>

#include <string>

#include "recorder/base/result.h"
#include "shim/ring_layout.h"

namespace sidrec {

struct MadeRing {
  std::string path;
  std::string ring_id;
  pid_t host = 0;  // by the kernel's word (SO_PEERCRED, unix(7))
};

// Makes it below `run_dir`, hands it over through `socket`, and waits until the host has filled in the header. When it
// does not, nothing is left behind. `shape`: "lanes lane_bytes", decimal.
Result<MadeRing> make_ring_for_host(int socket, const std::string& run_dir, const std::string& shape);

}  // namespace sidrec
