// This process: whose memory this is (a forked child notices), its ring, and the start of its recorder.
#pragma once

#include <cstdint>

#include "shim/ring_layout.h"

namespace sidrec {

// The pid, without a system call; 0 when recording is off.
uint32_t own_pid();

// A process that is a vfork child runs in its parent's memory with descriptors of its own: it must not touch the table.
bool in_vfork_child();

// How often this process has forked (without exec in between it may have given every descriptor to a child).
uint32_t forks();
// Before fork (by pthread_atfork), _Fork and posix_spawn.
void about_to_fork();

// Called by `_Fork`'s hook in the child; pthread_atfork does it for fork. Gives up the parent's lanes or its ring.
void after_fork_in_child();

// The mapped ring, made now if this process has none; nullptr when it cannot be had (yet).
ring::Header* ring_of_process();
// Starts the recorder, once per process, if the ring has none.
void ensure_recorder();
bool recorder_running();
// A recorder has the ring. Not so when it has died, or has not come to it yet.
inline bool has_recorder(const ring::Header* ring) {
  const uint32_t word = ring->recorder.load(std::memory_order_relaxed);
  return word != 0 && !(word & ring::kRecorderDied);
}
// Where has_recorder() says no, and its time to come is over: another one goes on where it was. Costs the host a start,
// and a recorder that dies again and again is started ever more seldom.
void restart_recorder(ring::Header* ring);

// The lanes this process has claimed, a bit each, and the claim of one more: one atomic operation, no system call.
uint32_t claimed_lanes();
bool claim_lane(ring::Header* ring, uint32_t lane);

// Before chroot, setuid and their kin, and before seccomp: what needs rights is done now or never. `for_good`: root is
// given up and cannot be taken up again.
void before_rights_drop(bool for_good = false);
void before_sandbox();
void entered_sandbox();
bool sandboxed();

}  // namespace sidrec
