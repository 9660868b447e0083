// Starts the recorder so that the host cannot notice (DESIGN D1): no SIGCHLD, no zombie, no descriptor, no child that
// any wait() can see, no member of its process group.
#pragma once

namespace sidrec {

// Runs argv[0], with `socket` as its descriptor 0 unless it is negative. Blocks the calling thread until the exec has
// happened (about 0.3 ms). Once at a time.
bool spawn_recorder(const char* const argv[], bool debug, int socket = -1);

}  // namespace sidrec
