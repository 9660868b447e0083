// Starts the recorder so that the host cannot notice (DESIGN D1): no SIGCHLD, no zombie, no descriptor, no child that
// any wait() can see, no member of its process group.
#pragma once

namespace sidrec {

// Runs `program ring_file`. Blocks the calling thread until the exec has happened (about 0.3 ms). Once at a time.
bool spawn_recorder(const char* program, const char* ring_file, bool debug);

}  // namespace sidrec
