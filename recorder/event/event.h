// Event: one fact of the trail before it has a place in it (no seq, session or epoch yet).
//
// A recorder turns its ring's records into events; a slave sends them to its master; the master writes them. The
// one encoding below serves all three, so that an event is copied, never rebuilt: an EventHeader followed by its
// payload, padded to 8 bytes, events one after another in a buffer (EventBuffer, or the body of a DATA message).
//
// Identity: (rec, lane, pos). `rec` names the ring and is the same for a whole buffer; `lane` and `pos` are the
// producer's position behind the record that caused the event, so the same event has the same identity however
// often it is read again. An event that no record caused (a host that died) has lane kNoLane and the connection as pos.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sidrec {

enum class EventKind : uint8_t { kConnOpen = 1, kData = 2, kGap = 3, kConnClose = 4 };
enum class Direction : uint8_t { kIn = 0, kOut = 1 };
enum class CloseWhy : uint8_t { kClosed = 0, kExited = 1, kHostDied = 2 };
enum class GapWhy : uint8_t { kOverflow = 1, kSplice, kSendfile, kDiscarded, kNoRing, kFault, kSpoolFull };
enum class Via : uint8_t { kAccept = 0, kInherited = 1, kPassed = 2, kUnknown = 3 };

inline constexpr uint32_t kNoLane = 0xffffffffu;
inline constexpr uint32_t kMaxEventPayload = 64 * 1024;

struct EventHeader {
  uint32_t payload;  // bytes that follow the header, padding not counted
  EventKind kind;
  Direction dir;    // data, gap
  uint8_t why;      // GapWhy or CloseWhy
  uint8_t reserved;
  uint64_t time_ns;  // CLOCK_MONOTONIC, when it happened in the host
  uint64_t conn;     // socket cookie
  uint32_t lane;
  uint32_t reserved2;
  uint64_t pos;
  uint64_t off;      // data, gap: of the first byte, within connection and direction
  uint64_t len;      // data, gap: bytes
  uint64_t records;  // gap: how many calls
};
static_assert(sizeof(EventHeader) == 64);

// Payload of kConnOpen.
struct ConnOpen {
  uint8_t family;  // AF_INET, AF_INET6, or 0 when nothing is known
  Via via;
  uint16_t client_port;
  uint16_t server_port;
  uint16_t reserved;
  uint8_t client_addr[16];  // IPv4 in the first four bytes
  uint8_t server_addr[16];
  uint32_t pid;  // of the host process
  char program[32];
  char sid_source[20];  // what the SID came from: "env", "config", "default"
};
static_assert(sizeof(ConnOpen) == 96);

// Payload of kConnClose.
struct ConnClose {
  uint64_t bytes_in, bytes_out;                // captured and in gaps: the connection's final offsets
  uint64_t missing_in, missing_out;            // of these, bytes in gaps
  uint64_t kernel_bytes_in, kernel_bytes_out;  // what the kernel counted, where known
  uint8_t kernel_in_known, kernel_out_known;
  uint8_t reserved[6];
};
static_assert(sizeof(ConnClose) == 56);

// One event inside a buffer that outlives it.
struct EventView {
  const EventHeader* header;
  std::string_view payload;

  const EventHeader* operator->() const { return header; }
};

inline constexpr size_t event_bytes(size_t payload) { return sizeof(EventHeader) + ((payload + 7) & ~size_t{7}); }

// Appends to `out`, which holds whole events only.
void append_event(std::string& out, const EventHeader& header, std::string_view payload);

// The event at the front of `bytes` (8-aligned), and how many bytes it takes; nothing if it is not a valid one:
// wrong kind, direction, length, or a payload that does not fit its kind. For bytes from a peer as well as our own.
struct ParsedEvent {
  EventView event;
  size_t bytes;
};
std::optional<ParsedEvent> parse_event(std::string_view bytes);

// The payloads, by value: a buffer from a peer promises no alignment.
ConnOpen conn_open_of(const EventView& event);
ConnClose conn_close_of(const EventView& event);

}  // namespace sidrec
