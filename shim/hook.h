// What every hook file needs to define a libc function in front of libc's own.
//
// The law of a hook
//  1. The host's call is made once, with the host's arguments; its result and errno are the host's.
//  2. Nothing is held across it, no lock, no count, no guard: it may be cancelled or left by longjmp. A hook is
//  noexcept
//     exactly where libc's prototype is, because cancellation unwinds through the others.
//  3. An untracked descriptor costs one load from the table.
//  4. Host memory is read only after the kernel has succeeded on it. The one exception is sendmsg's control data, since
//     a descriptor's new holder may use it before our call returns.
//  5. A vfork child has our memory but descriptors of its own, so it changes nothing in the table (vfork(2)).
#pragma once

#include "shim/capture.h"
#include "shim/fd_table.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/ring_layout.h"

#define SIDREC_EXPORT extern "C" __attribute__((visibility("default")))

namespace sidrec {

inline bool is_tracked(int fd) { return __builtin_expect(kind_of(fd) != kUntracked, 0); }

// The kernel gave this number to something that we do not record. It can still be tracked only when its close did not
// come through a hook.
inline void newborn_untracked(int fd) {
  if (is_tracked(fd) && !in_vfork_child()) born_untracked(fd);
}

}  // namespace sidrec
