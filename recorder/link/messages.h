// The link's messages: what recorders of one SID say to each other over a SOCK_SEQPACKET unix socket, one message a
// datagram (unix(7)). docs/link-protocol.md is the authority; this is its codec and the table of who may say what when.
//
// Invariants
//  1. decode() accepts exactly what encode() makes: lengths exact, reserved fields zero, every limit checked. Nothing
//  in
//     a datagram is used before that.
//  2. Every message carries the protocol version, and only REFUSE is understood in any version, so that two versions
//  can
//     at least tell each other why they part.
//  3. The body of a DATA message begins 8-aligned wherever the datagram does, so that parse_event reads it in place.
//  4. One connection carries the events of one recorder id: (rec of its HELLO, lane, pos) is an event's identity.
//
// Integers are in host byte order: a unix socket never leaves its machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/event/event.h"
#include "recorder/store/storage_engine.h"

namespace sidrec::link {

inline constexpr uint32_t kMagic = 0x4c444953;  // "SIDL"
inline constexpr uint8_t kVersion = 2;

struct MessageHeader {
  uint32_t magic;
  uint8_t version;
  uint8_t type;  // MessageType
  uint16_t reserved;
};
static_assert(sizeof(MessageHeader) == 8, "the body of DATA must begin 8-aligned");

// Events of one DATA message, in bytes. Holds any single event, and with its header fits the send buffer a unix socket
// has by default (net.core.wmem_default, 212,992) with one more frame queued behind it.
inline constexpr size_t kMaxFrameBytes = 128 * 1024;
static_assert(event_bytes(kMaxEventPayload) <= kMaxFrameBytes);
inline constexpr size_t kMaxDatagramBytes = sizeof(MessageHeader) + kMaxFrameBytes;

inline constexpr size_t kMaxSid = 4096;           // bytes; a template's expansion is cut there
inline constexpr size_t kMaxRec = 64;             // bytes; twice what a ring's id takes
inline constexpr size_t kMaxProgram = 64;         // bytes; a command name of the kernel has 15
inline constexpr size_t kMaxSession = 64;         // bytes; a UUID has 36
inline constexpr size_t kMaxReason = 512;         // bytes; one sentence
inline constexpr size_t kMaxCommits = 4096;       // entries, 64 KiB: all lanes of a ring and thousands of hosts' ends
inline constexpr uint32_t kMaxLanes = 64;         // of one recorder's events; a ring has at most 16
inline constexpr uint32_t kMaxRetryMs = 600'000;  // a Wait longer than ten minutes is a mistake
inline constexpr uint32_t kDefaultRetryMs = 10'000;  // S6: the slave asks again after 10 s
// HELLO of a slave with something to send asks for as much: what a host has done by the time its recorder is welcomed,
// and more than most ever do.
inline constexpr uint64_t kFirstBytes = 16 * 1024;
inline constexpr uint64_t kMaxPending = 1ULL << 40;  // bytes, records: more than any spool holds

enum class MessageType : uint8_t {
  kHello = 1,
  kWelcome = 2,
  kRefuse = 3,
  kRequest = 4,
  kPass = 5,
  kWait = 6,
  kData = 7,
  kCommit = 8,
  kBye = 9,
  kByeAck = 10,
  kStatus = 11,
  kReport = 12,
};
std::string_view name_of(MessageType type);

// Slave: who I am, which session I know of.
struct Hello {
  std::string rec;
  std::string sid;  // whole: sockets are named by its hash
  std::string program;
  uint32_t host_pid = 0;
  uint32_t connections = 0;              // open now
  std::optional<SessionIdentity> known;  // of the last master this slave had
  uint64_t oldest_ns = 0;                // CLOCK_MONOTONIC, of the first event it has to send; 0: it has none
};

// Master: the session's identity, from now on the slave's, and how often a waiting slave asks.
struct Welcome {
  SessionIdentity identity;
  uint32_t retry_ms = kDefaultRetryMs;
};

// Master: this connection ends, and why.
struct Refuse {
  std::string reason;
};

// Slave: everything it has to send at this moment. Ends what it was granted or waited for before; with no bytes it only
// does that and gets no answer.
struct Request {
  uint32_t request = 0;    // counts from 1 within a connection, HELLO being 0; PASS and WAIT name what they answer
  uint64_t bytes = 0;      // of encoded events
  uint64_t records = 0;    // events
  uint64_t oldest_ns = 0;  // CLOCK_MONOTONIC, of the first of them
};

struct Pass {
  uint32_t request = 0;
  uint64_t credit = 0;  // bytes of events the slave may send
};

struct Wait {
  uint32_t request = 0;
  uint32_t retry_ms = kDefaultRetryMs;
};

struct Data {
  std::string_view events;  // whole events; points into the datagram
};

// Master: written to the store. For a lane: everything up to and including `pos`. For kNoLane: the one event with that
// `pos`, since connections are not in order.
struct CommitMark {
  uint32_t lane = 0;
  uint64_t pos = 0;
  bool operator==(const CommitMark&) const = default;
};
struct Commit {
  std::vector<CommitMark> marks;
};

struct Bye {};     // slave: no connection left, everything sent (S9)
struct ByeAck {};  // master: everything committed; the slave may close

struct Status {};  // whoever asks, instead of HELLO: how is it going?
struct Report {    // master: so; one JSON object. The connection ends.
  std::string text;
};

using Message = std::variant<Hello, Welcome, Refuse, Request, Pass, Wait, Data, Commit, Bye, ByeAck, Status, Report>;
MessageType type_of(const Message& message);

// The datagram of `message`, which is within the limits (a Refuse's reason is cut to them).
std::string encode(const Message& message);
// The header of a DATA message, to be sent in front of its body without a copy.
MessageHeader data_header();

// What one datagram says, or one sentence why it says nothing. Views point into `datagram`.
Result<Message> decode(std::string_view datagram);

// The table of rights. A connection's state is the same for both ends, seen through messages in flight.
enum class Side : uint8_t { kSlave, kMaster };
enum class LinkState : uint8_t {
  kNew,      // connected
  kGreeted,  // HELLO is said
  kMember,   // WELCOME is said
  kLeaving,  // BYE is said, or STATUS
};
// Whether `from` may say `type` in that state; the error names all three.
Result<void> check_right(Side from, LinkState state, MessageType type);

}  // namespace sidrec::link
