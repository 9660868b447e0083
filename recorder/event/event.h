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

enum class EventKind : uint8_t {
  kConnOpen = 1,
  kData = 2,
  kGap = 3,
  kConnClose = 4,
  kChanOpen = 5,
  kChanClose = 6,
  kIdentity = 7,
  kResize = 8,
  kMasked = 9,     // data whose bytes were left out on purpose: a secret
  kFolded = 10,    // data whose bytes were left out on purpose: the middle of a transfer
  kTransfer = 11,  // what was transferred
};
enum class Direction : uint8_t { kIn = 0, kOut = 1, kErr = 2 };  // kErr: a command's stderr, on its way to the client
inline constexpr size_t kDirections = 3;
enum class CloseWhy : uint8_t { kClosed = 0, kExited = 1, kHostDied = 2, kNotAuthenticated = 3, kRecovered = 4, kCut = 5 };
enum class GapWhy : uint8_t { kOverflow = 1, kSplice, kSendfile, kDiscarded, kNoRing, kFault, kSpoolFull };
enum class Via : uint8_t { kAccept = 0, kInherited = 1, kPassed = 2, kUnknown = 3, kConnect = 4 };
enum class ChanKind : uint8_t { kPty = 1, kExec = 2, kForward = 3, kAgent = 4, kX11 = 5 };
enum class IdentityHow : uint8_t { kSetresuid = 1, kPamSession = 2 };
enum class TransferProtocol : uint8_t { kStream = 1, kSftp = 2, kScp = 3 };

inline constexpr uint32_t kNoLane = 0xffffffffu;
inline constexpr uint32_t kMaxEventPayload = 64 * 1024;

struct EventHeader {
  uint32_t payload;  // bytes that follow the header, padding not counted
  EventKind kind;
  Direction dir;  // data, gap, masked, folded, transfer
  uint8_t why;    // GapWhy or CloseWhy
  uint8_t reserved;
  uint64_t time_ns;  // CLOCK_MONOTONIC, when it happened in the host
  uint64_t conn;     // socket cookie
  uint64_t chan;     // channel within the connection, 0: the connection itself
  uint32_t lane;
  uint32_t reserved2;
  uint64_t pos;
  uint64_t off;      // data, gap, masked, folded: of the first byte, within connection, channel and direction
  uint64_t len;      // data, gap, masked, folded: bytes
  uint64_t records;  // gap: how many calls
};
static_assert(sizeof(EventHeader) == 72);

// Payload of kConnOpen.
struct ConnOpen {
  uint8_t family;  // AF_INET, AF_INET6, or 0 when nothing is known
  Via via;
  uint16_t client_port;
  uint16_t server_port;
  uint8_t counted;  // 1: its own bytes are ciphertext, counted and not kept; what they carry is in its channels
  uint8_t reserved;
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

// Payload of kChanOpen.
struct ChanOpen {
  ChanKind kind;
  Via via;         // forward: kConnect to the peer (ssh -L, -D, -W) or kAccept from it (ssh -R)
  uint8_t family;  // of the peer; 0 when there is none
  uint8_t counted;
  uint16_t peer_port;
  uint16_t reserved;
  uint8_t peer_addr[16];
  uint32_t tty;  // pty: number of the terminal
  uint32_t pid;
};
static_assert(sizeof(ChanOpen) == 32);

// Payload of kChanClose: the channel's final offsets, by Direction.
struct ChanClose {
  uint64_t bytes[kDirections];
};
static_assert(sizeof(ChanClose) == 24);

// Payload of kIdentity: who the connection's client is, as its host has proved.
struct Identity {
  uint32_t uid;
  uint8_t uid_known;
  IdentityHow how;
  uint8_t reserved[2];
  char user[64];
};
static_assert(sizeof(Identity) == 72);

// Payload of kResize.
struct TerminalSize {
  uint16_t rows, cols;
  uint32_t reserved;
};
static_assert(sizeof(TerminalSize) == 8);

// Payload of kTransfer; the name follows, up to kMaxTransferName bytes.
struct Transfer {
  uint64_t bytes;  // that passed
  uint64_t size;   // as the protocol announced it
  uint8_t size_known;
  uint8_t sequential;  // all of it from its beginning on: the hash is the file's
  uint8_t finished;
  TransferProtocol protocol;
  uint8_t reserved[4];
  uint8_t sha256[32];
};
static_assert(sizeof(Transfer) == 56);
inline constexpr size_t kMaxTransferName = 8192;

// One event inside a buffer that outlives it.
struct EventView {
  const EventHeader* header;
  std::string_view payload;

  const EventHeader* operator->() const { return header; }
};

inline constexpr size_t event_bytes(size_t payload) { return sizeof(EventHeader) + ((payload + 7) & ~size_t{7}); }

// A payload's structure as its bytes.
template <typename T>
std::string_view view_of(const T& facts) {
  return {static_cast<const char*>(static_cast<const void*>(&facts)), sizeof facts};
}

// Appends to `out`, which holds whole events only.
void append_event(std::string& out, const EventHeader& header, std::string_view payload);

// The event at the front of `bytes` (8-aligned), and how many bytes it takes; nothing if it is not a valid one:
// wrong kind, direction, length, or a payload that does not fit its kind. For bytes from a peer as well as our own.
struct ParsedEvent {
  EventView event;
  size_t bytes;
};
std::optional<ParsedEvent> parse_event(std::string_view bytes);

// Of whole events, one behind another; ends at what is none. take(const EventHeader&, std::string_view payload).
template <typename Take>
void for_each_event(std::string_view events, const Take& take) {
  while (const auto parsed = parse_event(events)) {
    take(*parsed->event.header, parsed->event.payload);
    events.remove_prefix(parsed->bytes);
  }
}

// The payloads, by value: a buffer from a peer promises no alignment.
ConnOpen conn_open_of(const EventView& event);
ConnClose conn_close_of(const EventView& event);
ChanOpen chan_open_of(const EventView& event);
ChanClose chan_close_of(const EventView& event);
Identity identity_of(const EventView& event);
TerminalSize terminal_size_of(const EventView& event);
Transfer transfer_of(const EventView& event);
std::string_view transfer_name_of(const EventView& event);

}  // namespace sidrec
