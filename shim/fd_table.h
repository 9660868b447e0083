// What each descriptor of this process is, decided when it is born (accept, listen, dup, recvmsg, the constructor's
// scan) and forgotten when it is closed. No lock, no heap: one byte a descriptor says whether we care at all, and
// only for those that we care about there is an Entry.
//
// Rules: write the Entry, then its kind (release); clear the kind before the real close, because afterwards another
// thread's accept may own the number. Entries are copied by fork like all memory.
#pragma once

#include <atomic>
#include <cstdint>

namespace sidrec {

inline constexpr uint32_t kMaxFd = 1u << 20;  // the kernel's default fs.nr_open; above it nothing is recorded

// kClient: a client connection, or one end of a channel of one.
enum FdKind : uint8_t { kUntracked = 0, kListener = 1, kClient = 2 };

struct Entry {
  uint64_t subject;   // as in the ring's records: the socket's cookie, or a channel
  uint64_t conn;      // of a channel: the cookie of its connection
  uint8_t chan_kind;  // kNoChannel: a connection
  uint8_t counted;    // its bytes are counted, not kept
  uint8_t dirs[2];    // what the host reads here, and what it writes, as its client sees it
  uint32_t tty;
  std::atomic<uint32_t> user_pid;  // the last process that did I/O on it
  std::atomic<uint8_t> opened;     // kNotOpened → kOpening → kOpened: the Open record is in the ring
  uint8_t via;
  uint8_t family;
  uint8_t shared;  // this process has, or had, another descriptor of the connection
  uint16_t client_port;
  uint16_t server_port;
  uint8_t client_addr[16];  // of a forward: its peer
  uint8_t server_addr[16];
  uint32_t birth_pid;                   // process that accepted or made it
  uint32_t birth_forks;                 // and how often it had forked by then
  std::atomic<uint8_t> read_eof;        // a read has answered 0: the peer's FIN has passed
  std::atomic<uint8_t> write_shut;      // shutdown(SHUT_WR) has succeeded: our FIN has passed
  std::atomic<uint8_t> cut;             // strict: nothing passes any more
  std::atomic<uint64_t> lost_bytes[3];  // by direction: passed, not recorded, not yet told in a Gap
  std::atomic<uint64_t> lost_records[3];
};

enum Opened : uint8_t { kNotOpened = 0, kOpening = 1, kOpened = 2 };

extern std::atomic<uint8_t> g_kinds[kMaxFd];

inline FdKind kind_of(int fd) {
  if (static_cast<uint32_t>(fd) >= kMaxFd) return kUntracked;
  return static_cast<FdKind>(g_kinds[fd].load(std::memory_order_acquire));
}
inline bool is_client(int fd) { return __builtin_expect(kind_of(fd) == kClient, 0); }

// The entry of a descriptor that is, or is about to be, tracked. nullptr when there is no memory for it.
Entry* entry_for(int fd);

void set_kind(int fd, FdKind kind);
inline void clear_kind(int fd) {
  if (kind_of(fd) != kUntracked) set_kind(fd, kUntracked);
}

// Copies everything but the atomics' identity: a dup.
void copy_entry(Entry& to, const Entry& from);

// One above the highest descriptor ever tracked in this process: the bound of every scan.
int tracked_bound();
// How many descriptors are listeners or clients now.
int tracked_count();

}  // namespace sidrec
