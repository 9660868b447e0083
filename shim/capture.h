// What the hooks say about client connections; the records in the ring are made here.
//
// A hook asks begin() before the real call, makes the call holding nothing, and reports what has passed afterwards.
// None of these changes errno, allocates, or fails towards the host; what cannot be recorded is counted and becomes
// a Gap. All of them may run in any thread and inside a signal handler.
#pragma once

#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "shim/fd_table.h"
#include "shim/ring_layout.h"

namespace sidrec {

// A client connection as it was when the call began: the number may be somebody else's when the call returns.
struct Subject {
  Entry* entry = nullptr;  // nullptr: not recorded
  uint64_t subject = 0;
  uint64_t began_ns = 0;  // of a write
  bool masked = false;    // typed while the terminal does not show it
  int fd = -1;

  explicit operator bool() const { return entry != nullptr; }
  // Strict: reads answer 0 and writes EPIPE from now on, whatever the kernel still has (DESIGN D9).
  bool is_cut() const {
    return __builtin_expect(entry != nullptr && entry->cut.load(std::memory_order_relaxed) != 0, 0);
  }
};

// What a write to it answers.
inline int cut_off() {
  errno = EPIPE;
  return -1;
}

// For a tracked client descriptor. The first call for a connection writes its Open record and sees to it that the
// process has a ring and a recorder.
Subject begin(int fd);
// The same for a call that writes: its record's time is that of the call's beginning, so that no answer to it, in
// whatever process, looks older than what it answers.
Subject begin_write(int fd);

// `bytes` of the host's buffer have passed. `side`: kIn what the host has read, kOut what it has written.
void captured(const Subject& subject, ring::Direction side, const void* buffer, size_t bytes);
void captured(const Subject& subject, ring::Direction side, const iovec* iov, size_t count, size_t bytes);
// `bytes` have passed that nobody can see.
void passed_unseen(const Subject& subject, ring::Direction side, size_t bytes, ring::GapWhy why);
void saw_eof(const Subject& subject);

// A new client connection on `fd` (accept, recvmsg, the constructor's scan). Nothing happens when it is not TCP.
void born_client(int fd, ring::Via via);
// fd's number now belongs to something that we do not record.
inline void born_untracked(int fd) {
  if (fd >= 0) clear_kind(fd);
}
void born_listener(int fd);
// `fd` is one end of a channel as `channel` describes it.
void born_channel(int fd, const Entry& channel);
// Records a channel that may carry no byte.
void channel_opened(int fd);
void tell_identity(uint64_t conn, const ring::Identity& identity);
void terminal_resized(int fd, const ring::Resize& size);
// What came by SCM_RIGHTS: a listener, or a client's when its port is one this process (or an ancestor) listened on.
void born_passed(int fd);
// `to` is now a copy of `from`.
void duplicated(int from, int to);
// The process is about to give its descriptor away (SCM_RIGHTS).
void given_away(int fd);

// Before the real close of a tracked descriptor: writes the Release record, with the kernel's byte counts, and clears
// the table. A close of a descriptor that exists does not fail in a way that leaves it open (close(2)).
void forget(int fd);
// After a successful shutdown(2).
void shut_down(int fd, int how);

// From here on other processes may hold copies of every descriptor (before a fork).
void announce_fork();

// Every client connection this process still holds, at its exit.
void forget_all(ring::ReleaseWhy why);

}  // namespace sidrec
