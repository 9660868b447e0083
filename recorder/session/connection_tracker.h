// ConnectionTracker: turns a ring's records into events: which connection, at which offset, open or closed. Pure; one
// for each ring.
//
// Invariants
//  1. Offsets of a connection and direction are dense: what is missing is a gap with its length.
//  2. Of a connection come one kConnOpen first, one kConnClose last, and both once.
//  3. A connection closes when no process holds a descriptor of it. Holders are counted by pid; once a fork or a
//     descriptor passed away may have made holders that nobody counted, the kernel is asked (StillHeld).
//     The same holds, kSilentNs later, for what was open when records were lost: a Release may be among them.
//  4. An event's identity is its record's position, unique and growing within a lane. Of several that one record causes
//     (an open that must be invented, what a folding has held back) all but the last have one of the seven positions
//     behind the record before, where no record ends.
//  5. What no record caused (a close when the host died, the rest of a folding) has no lane, and the connection as pos;
//     of a channel, the channel; of a folding's rest, numbers apart (kLanelessStep).
//  6. A connection whose SID needs to know who logs in waits for that, at most kUserPatienceNs, kMaxWaitingBytes of
//     events, or until its close; then the user is "-". What comes after it in the ring waits behind it, so that a
//     SID's events keep the order of their positions.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "recorder/base/clock.h"
#include "recorder/base/settings.h"
#include "recorder/event/event.h"
#include "recorder/event/open_connection.h"
#include "recorder/fold/folding.h"
#include "recorder/ring/outstanding.h"
#include "recorder/ring/ring_reader.h"
#include "recorder/session/sid_template.h"

namespace sidrec {

class ConnectionTracker {
 public:
  // Where the events go.
  class Sink {
   public:
    virtual ~Sink() = default;
    // Who takes the events of this SID. Asked once for each connection; stays valid until the connection's close.
    virtual OwnerId owner_of(const std::string& sid) = 0;
    // An owner whose SID is not known yet: nothing of it is safe until settle() says whose it is.
    virtual OwnerId owner_unknown() = 0;
    virtual void settle(OwnerId unknown, const std::string& sid) = 0;
    virtual void event(OwnerId owner, const EventHeader& header, std::string_view payload) = 0;
  };
  // Does any process still hold this connection?
  using StillHeld = std::function<bool(uint64_t conn, const ConnOpen& open)>;

  struct Host {
    uint32_t pid = 0;
    std::string program;
    std::string sid_source;  // where the template came from: "env", "config", "default"
  };

  ConnectionTracker(SidTemplate sid_template, Host host, Sink& sink, StillHeld still_held, Fold fold = Fold::kNone);

  // A connection that another recorder of this ring has told of already: goes on behind what that one has told. Who
  // holds it is not known any more, so its end is what the kernel says.
  void restore(OwnerId owner, const OpenConnection& connection, uint64_t now_ns);

  // The owner of what came of the record, kNobody when no event did.
  OwnerId take(const RingRecord& record);

  // Asks about connections that nobody we know of holds. To be called at deadline_ns(), when the ring has been read.
  void on_timer(uint64_t now_ns);
  std::optional<uint64_t> deadline_ns() const;

  // The ring is dead and all its records were taken: closes everything.
  void host_died(uint64_t now_ns);

  // So long after a loss the kernel is asked about connections whose Release may be among the lost.
  static constexpr uint64_t kSilentNs = kSecond;
  static constexpr uint64_t kUserPatienceNs = 5 * kSecond;
  static constexpr size_t kMaxWaitingBytes = 64 * 1024;

  size_t open_connections() const { return connections_.size(); }

 private:
  struct Holder {
    uint32_t pid;
    uint32_t descriptors;
  };
  struct Flow {
    uint64_t offset[kDirections] = {};
    uint64_t missing[kDirections] = {};
    std::unique_ptr<fold::Folding> folding;  // where transfers may have to be kept in short
    std::vector<fold::TransferFacts> transfers_to_tell;
  };
  struct Connection {
    OwnerId owner = kNobody;
    ConnOpen open{};
    std::vector<Holder> holders;  // a handful
    Flow flow;
    std::map<uint64_t, Flow> channels;
    std::string user;  // who has logged in
    bool uid_told = false;
    uint64_t opened_ns = 0;
    bool maybe_elsewhere = false;
    bool cut = false;
    bool released = false;  // `last` and `why` are those of a Release
    ring::Release last{};
    uint8_t why = 0;
    uint64_t ask_again_ns = 0;  // 0: not waiting for the kernel's word
    uint64_t ask_pause_ns = 0;
    bool gone = false;  // the kernel's last word: nobody holds it
  };
  using Connections = std::unordered_map<uint64_t, Connection>;
  // An event behind one whose SID is not known.
  struct Waiting {
    OwnerId owner;
    std::string event;
  };
  // What a record concerns: a connection and, within it, a channel (0: itself).
  struct Subject {
    Connection& connection;
    uint64_t conn;
    uint64_t chan;
    Flow& flow;
  };

  OwnerId emit(OwnerId owner, const EventHeader& header, std::string_view payload);
  bool is_nameless(const Connection& connection) const;
  void settle(Connection& connection);
  void release_waiting();
  std::optional<Subject> subject_of(const RingRecord& record);
  std::unique_ptr<fold::Folding> folding_for(bool speaks_ssh, bool may_be_transfer) const;
  OwnerId fold(const Subject& subject, const RingRecord& record);
  void end_folding(const Subject& subject, uint64_t time_ns);
  bool emit_folded(const Subject& subject, EventHeader base, fold::Folded folded, uint64_t last_pos);
  void emit_piece(const Subject& subject, EventHeader header, const fold::Piece& piece);
  void emit_transfer(const Subject& subject, EventHeader header, const fold::TransferFacts& transfer);
  OwnerId emit_span(const RingRecord& record, EventKind kind, uint64_t bytes, std::string_view payload);
  OwnerId on_count(const RingRecord& record);
  OwnerId on_chan_open(const RingRecord& record);
  OwnerId on_chan_close(const RingRecord& record);
  OwnerId on_identity(const RingRecord& record);
  OwnerId on_resize(const RingRecord& record);
  void close_channels(Connections::iterator at, const EventHeader& closing);
  Connection& known(const RingRecord& record);
  Connection& open(uint64_t conn, const ConnOpen& open, const RingRecord& record, uint64_t pos);
  OwnerId on_open(const RingRecord& record);
  OwnerId on_data(const RingRecord& record);
  OwnerId on_gap(const RingRecord& record);
  OwnerId on_release(const RingRecord& record);
  void on_fork(uint32_t pid);
  static void hold(Connection& connection, uint32_t pid);
  void ask(Connections::iterator at, uint64_t now_ns);
  void suspect_all(uint64_t now_ns);
  void end_waiting(uint64_t now_ns);
  void ask_later(Connection& connection, uint64_t now_ns, uint64_t pause_ns);
  void close(Connections::iterator at, EventHeader header);
  void close_without_record(Connections::iterator at, CloseWhy why, uint64_t now_ns);

  SidTemplate sid_template_;
  Fold fold_;
  Host host_;
  Sink& sink_;
  StillHeld still_held_;
  Connections connections_;
  std::unordered_map<uint64_t, uint64_t> conn_of_channel_;
  std::unordered_map<OwnerId, std::optional<std::string>>
      unknown_;  // owners that are not settled; their SID, once known
  std::deque<Waiting> waiting_;
  size_t waiting_bytes_ = 0;
  size_t nameless_ = 0;   // connections that wait for a login
  uint64_t last_ns_ = 0;  // of the last event: those of one ring never go back in time
  size_t asking_ = 0;     // connections with ask_again_ns
};

}  // namespace sidrec
