// A clone of the calling thread that shares its memory, so that the host cannot notice: it is no child that any wait()
// of the host's can see (clone(2): exit signal 0), and it has ended before this returns.
#pragma once

namespace sidrec {

// Runs body(argument) in it and waits, every signal blocked: a handler must not run in the shared memory. Body makes
// raw system calls only; its descriptors are the host's, its credentials its own. One call at a time, for there is one
// stack: only who makes this process's ring or starts its recorder may call. False: there is no clone.
bool run_aside(int (*body)(void*), void* argument);

}  // namespace sidrec
