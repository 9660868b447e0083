// SlaveFlow: one SID's events on their way from a slave to its master (S6, S7; DESIGN D6, D7). Pure: it keeps the
// encoded events until they are committed, and says what to ask and what to send. It outlives its masters.
//
//   oldest                                                        youngest
//   [ sent, not committed | sendable, not sent ] ( spool file ) [ appended since ]
//
// Invariants
//  1. Events leave in the order of append(). With a spool in use, what was appended since stays behind it.
//  2. At most one request is open. DATA is only cut within the credit of the last PASS, whole events, whole frames.
//  3. An event is kept until a COMMIT covers it. When the master is lost, everything kept is to be sent again.
//  4. No allocation for an event: they lie one behind another in chunks of a frame's size.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/event/event.h"
#include "recorder/link/messages.h"

namespace sidrec::link {

class SlaveFlow {
 public:
  void append(const EventHeader& header, std::string_view payload);

  // HELLO was sent, which is request 0 of who has something to send: for kFirstBytes, in one DATA.
  void greeted();
  // The REQUEST to send now, if any. requested() says that it was sent. `spooled`: bytes in the spool file that were
  // not put back yet; they are asked for too: who asks for a frame at a time gets a frame in each turn of the master.
  std::optional<Request> request(uint64_t now_ns, uint64_t spooled = 0);
  void requested(const Request& request);
  // The next DATA body that the credit allows, empty when there is none; valid until the flow is changed. sent() says
  // that it was sent; without it the same body is offered again.
  std::string_view data();
  void sent();

  // What the master said. An error is a breach of the protocol: drop the connection.
  Result<void> on_pass(const Pass& pass);
  Result<void> on_wait(const Wait& wait, uint64_t now_ns);
  Result<void> on_commit(const Commit& commit);
  // The connection is gone, for whatever reason.
  void on_master_lost();

  // What is sent and not committed.
  std::vector<std::string_view> sent_events() const;
  // Takes what is not sent, to be put behind all that is in the spool file already. From here on, if anything is kept,
  // nothing appended is sent before the spool is put back.
  std::vector<std::string> take_unsent();
  // Puts the front of the spool file back; `last` when the file is empty now. An error when it holds no whole events.
  Result<void> prepend(std::string spooled, bool last);
  // Takes everything in front of the spool, after the loss of a master: to be written by this recorder as master.
  std::string take_uncommitted();

  // What is known to be in the store of that lane.
  uint64_t committed(uint32_t lane) const;

  bool is_waiting() const { return state_ == State::kWaiting; }
  bool is_spooling() const { return spooling_; }
  bool all_committed() const { return kept_.bytes + behind_.bytes == 0 && !spooling_; }
  uint64_t unsent_bytes() const { return unsent_.bytes + behind_.bytes; }
  uint64_t uncommitted_bytes() const { return kept_.bytes + behind_.bytes; }
  // Of the oldest event that waits to be sent, the spool not counted.
  std::optional<uint64_t> oldest_unsent_ns() const;
  // When a waiting slave asks again.
  std::optional<uint64_t> deadline_ns() const;

 private:
  enum class State : uint8_t { kIdle, kAsked, kWaiting, kPassed };
  struct Amount {
    uint64_t bytes = 0, records = 0;
    void add(uint64_t more) { bytes += more, ++records; }
    void remove(uint64_t less) { bytes -= less, --records; }
    void add(const Amount& more) { bytes += more.bytes, records += more.records; }
    void remove(const Amount& less) { bytes -= less.bytes, records -= less.records; }
  };
  struct Place {
    size_t chunk = 0, at = 0;
    bool operator==(const Place&) const = default;
  };

  static std::string& room_in(std::deque<std::string>& chunks, size_t bytes);
  std::optional<ParsedEvent> event_at(Place& place) const;
  bool covered(const EventHeader& event);
  void drop_committed();
  void start_over();

  State state_ = State::kIdle;
  uint32_t request_ = 0;  // number of the last one
  uint64_t requested_bytes_ = 0;
  uint64_t credit_ = 0;
  uint64_t retry_ns_ = 0;
  Amount frame_;  // what data() offered

  std::deque<std::string> chunks_;  // kept: sent or sendable
  Place committed_, sent_;          // of the next event; committed_ is always in the first chunk
  Amount kept_, unsent_;
  bool spooling_ = false;
  std::deque<std::string> chunks_behind_;  // behind the spool
  Amount behind_;

  std::vector<CommitMark> marks_;
  std::vector<uint64_t> no_lane_marks_;
};

}  // namespace sidrec::link
