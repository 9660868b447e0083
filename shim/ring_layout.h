// The ring: the one thing a host and its recorder share.
//
// A ring is a file in <run_dir>/rings, made by the shim, mapped by the host and its recorder. It holds one Header
// and several lanes. Records (facts with a time) go one way, from host to recorder; positions come back.
//
// Invariants
//  1. A lane has at most one writer at a time: the thread whose compare-and-swap put its token into `busy`.
//  2. head and tail are byte positions that only grow; head - tail <= lane_bytes. `head` is written by the host
//     only, after the record's bytes (release); `tail` by the recorder only, after the bytes were committed (release).
//  3. A record not yet published in a lane has time_ns >= that lane's floor_ns. So the recorder may take everything
//     older than min(now, floor of each busy lane) and miss nothing.
//  4. Neither side trusts the other: the recorder copies a record out, then checks it, then uses it; the shim stops
//     recording when a tail makes no sense. Nothing in here is evidence but the records themselves.
//  5. The ring is dead when flock(LOCK_EX|LOCK_NB) on the file succeeds: the lock taken with LOCK_SH at its making
//     lives until the last mapping in the last process is gone (flock(2); verified on tmpfs and ext4).
//
// All integers are in host byte order: a ring never leaves its machine.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sidrec::ring {

inline constexpr uint64_t kMagic = 0x31474e4952444953ULL;  // "SIDRING1"
inline constexpr uint32_t kVersion = 4;

inline constexpr size_t kPage = 4096;
inline constexpr size_t kFactsBytes = 3 * kPage;
inline constexpr size_t kHeaderBytes = kFactsBytes + kPage;
inline constexpr size_t kLaneControlBytes = kPage;
inline constexpr uint32_t kMaxLanes = 16;
inline constexpr uint32_t kMinLaneBytes = 16 * 1024;
inline constexpr uint32_t kMaxLaneBytes = 16 * 1024 * 1024;
inline constexpr uint32_t kMaxRecordPayload = 64 * 1024 - 64;  // one call's bytes are cut into records of this size

// A host that may not make its ring has its recorder, which is of another user, make it (DESIGN D13). The recorder is
// started with kMakeRing, lanes and lane_bytes, and a SOCK_SEQPACKET socket as descriptor 0; or it waits already
// (kSpare), and is told "lanes lane_bytes" there. It says the ring's id,
// ended by NUL, with the ring's descriptor (SCM_RIGHTS, unix(7)); the host answers one byte when it has filled in the
// header.
inline constexpr char kMakeRing[] = "--make-ring";
// The same host's ring, by its id, whose recorder has died.
inline constexpr char kAdoptRing[] = "--adopt-ring";

// Where a recorder that has finished waits for the next host of its service: abstract unix sockets of this name, the
// user of the hosts, "-", the service in 16 hexadecimal digits, "-" and a slot. The host connects and says its ring's
// path, or which ring it needs.
inline constexpr char kSpare[] = "sidrec-spare-";
inline constexpr uint32_t kSpares = 8;

inline constexpr size_t kMaxProgram = 32;
inline constexpr size_t kMaxPath = 1024;
inline constexpr size_t kMaxTemplate = 1024;
inline constexpr size_t kMaxEnv = 4096;

// How a recorder sleeps. It stores kShallow or kDeep, looks at every head once more, then sleeps; a writer publishes,
// then looks here (both sides with sequential consistency, so one of them sees the other). With kNap it waits on this
// very word, which who wakes it makes kAwake: one thread is woken. Without, it waits for its peers too, and a thread of
// its own, which waits on `wake`, tells it.
enum Sleep : uint32_t {
  kAwake = 0,
  kShallow = 1,  // wakes by itself within some ms; to be woken when a lane is a quarter full
  kDeep = 2,     // sleeps for ever; to be woken by the first record
  kNap = 4,      // with one of these two
};

inline constexpr uint32_t kRecorderDied = 0x40000000;  // FUTEX_OWNER_DIED (linux/futex.h)

struct Header {
  // The facts: written once, when the ring is made. Then the host has them no more: a process that shares the ring and
  // is compromised cannot change what a recorder that is still to come will read.
  uint64_t magic;
  uint32_t version;
  uint32_t lanes;
  uint32_t lane_bytes;  // power of two
  uint32_t host_pid;
  uint64_t service;           // of a forked process: what it shares with its parent and siblings alone; else 0
  char ring_id[kMaxProgram];  // also the file's name without ".ring", and the recorder's id in the trail
  char program[kMaxProgram];
  char sid_source[16];  // where the template came from: "env", "config", "default"
  char sid_template[kMaxTemplate];
  char audit_dir[kMaxPath];
  char run_dir[kMaxPath];
  char config[kMaxPath];  // "" where there is none
  char env[kMaxEnv];      // NAME=value, each ended by NUL: what {env:NAME} of the template needs

  alignas(kPage) std::atomic<uint32_t> sleep;  // Sleep; futex of a nap
  std::atomic<uint32_t> wake;                  // futex: grows by one for each wake
  // The recorder's thread id while it has the ring. When the thread dies, however it dies, the kernel itself sets
  // kRecorderDied here, for the word is on its robust list (get_robust_list(2)): who writes a record sees it without a
  // system call, and may put 0 here to start another one.
  std::atomic<uint32_t> recorder;
};
static_assert(offsetof(Header, sleep) == kFactsBytes && sizeof(Header) == kHeaderBytes);

struct LaneControl {
  alignas(64) std::atomic<uint32_t> owner;  // pid of the process that claimed the lane, 0 when free
  std::atomic<uint32_t> busy;               // a token of the writing thread, 0 when idle
  std::atomic<uint64_t> floor_ns;
  std::atomic<uint64_t> head;
  alignas(64) std::atomic<uint64_t> tail;
  std::atomic<uint32_t> room;     // futex: grows by one when the recorder has made room for a waiter
  std::atomic<uint32_t> waiters;  // threads asleep on `room`
  std::atomic<uint32_t> overrun;  // 1: a wait ran out of patience; nobody waits until the recorder has cleared it
};
static_assert(sizeof(LaneControl) <= kLaneControlBytes);

inline constexpr size_t lane_stride(uint32_t lane_bytes) { return kLaneControlBytes + lane_bytes; }
inline constexpr size_t ring_bytes(uint32_t lanes, uint32_t lane_bytes) {
  return kHeaderBytes + lanes * lane_stride(lane_bytes);
}

enum Kind : uint8_t {
  kOpen = 1,        // payload Open: this connection is known from here on, and this process holds one descriptor of it
  kData = 2,        // payload: bytes that passed
  kGap = 3,         // payload Gap: bytes that passed and are not here
  kHold = 4,        // the process holds one more descriptor of the connection (dup)
  kRelease = 5,     // payload Release: the process holds one less
  kFork = 6,        // from here on other processes may hold copies of every descriptor of this one
  kShared = 7,      // from here on another process may hold this connection (SCM_RIGHTS)
  kSeen = 8,        // payload Seen: bytes that passed and are counted only
  kMasked = 9,      // payload Seen: bytes that passed and were left out on purpose
  kChanOpen = 10,   // payload ChanOpen
  kChanClose = 11,  // its process holds no descriptor of the channel any more
  kIdentity = 12,   // payload Identity: of the connection's client
  kResize = 13,     // payload Resize: of the channel's terminal
  kCutOff = 14,     // strict: from here on nothing passes on this connection
};

enum Direction : uint8_t { kIn = 0, kOut = 1, kErr = 2 };  // kErr: a command's stderr

enum Via : uint8_t { kAccept = 0, kInherited = 1, kPassed = 2, kConnect = 4 };

enum ChanKind : uint8_t { kNoChannel = 0, kPty = 1, kExec = 2, kForward = 3, kAgent = 4, kX11 = 5 };

enum IdentityHow : uint8_t { kSetresuid = 1, kPamSession = 2 };

// A subject with this bit is a channel, any other the cookie of a connection.
inline constexpr uint64_t kChannelBit = uint64_t{1} << 63;

enum GapWhy : uint8_t {
  kOverflow = 1,   // the lane was full beyond the patience
  kSplice = 2,     // splice(2): the bytes never reached user space
  kSendfile = 3,   // sendfile(2)
  kDiscarded = 4,  // recv with MSG_TRUNC on TCP: the host threw the bytes away unread
  kNoRing = 5,     // recording could not start yet
  kFault = 6,      // the host's buffer could not be read
};

enum ReleaseWhy : uint8_t { kClosed = 0, kExited = 1 };

// A write has happened when it began: what answers it cannot be older. A write that blocked is not that old, so that
// it need not come late into its trail.
inline constexpr uint32_t kMaxAgeNs = 10'000'000;

struct RecordHeader {
  uint32_t payload;  // bytes that follow; the next record begins at the next multiple of 8
  uint8_t kind;
  uint8_t dir;
  uint8_t why;  // GapWhy or ReleaseWhy
  uint8_t reserved;
  uint32_t pid;
  uint32_t age_ns;   // a write began so long before time_ns (at most kMaxAgeNs); 0 for all else
  uint64_t time_ns;  // CLOCK_MONOTONIC, read when the record's place was already reserved: orders the lanes
  uint64_t subject;  // the socket's cookie (SO_COOKIE, socket(7)): the same in every process; or a channel
};
static_assert(sizeof(RecordHeader) == 32);

inline constexpr size_t record_bytes(size_t payload) { return (sizeof(RecordHeader) + payload + 7) & ~size_t{7}; }

struct Open {
  uint8_t family;  // AF_INET or AF_INET6
  uint8_t via;
  uint16_t client_port;
  uint16_t server_port;
  uint8_t counted;  // 1: ciphertext; its bytes come as Seen
  uint8_t reserved;
  uint8_t client_addr[16];  // IPv4 in the first four bytes
  uint8_t server_addr[16];
};
static_assert(sizeof(Open) == 40);

struct ChanOpen {
  uint64_t conn;  // cookie of the connection that it belongs to
  uint8_t kind;
  uint8_t via;
  uint8_t family;  // of the peer of a forward, 0 when there is none
  uint8_t counted;
  uint16_t peer_port;
  uint16_t reserved;
  uint8_t peer_addr[16];
  uint32_t tty;  // of a pty: the terminal's number
  uint32_t reserved2;
};
static_assert(sizeof(ChanOpen) == 40);

struct Seen {
  uint64_t bytes;
};

struct Identity {
  uint32_t uid;
  uint8_t uid_known;
  uint8_t how;
  uint8_t reserved[2];
  char user[64];  // cut off where it is longer
};
static_assert(sizeof(Identity) == 72);

struct Resize {
  uint16_t rows, cols;
  uint32_t reserved;
};

struct Gap {
  uint64_t bytes;
  uint64_t records;
};

struct Release {
  uint64_t kernel_in;   // bytes the process has consumed, by the kernel's count (tcp_info)
  uint64_t kernel_out;  // bytes it has written
  uint8_t in_known, out_known;
  uint8_t reserved[6];
};

}  // namespace sidrec::ring
