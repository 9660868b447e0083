// MasterPeer: a master's end of one connection from a slave, as a protocol state. Pure: it turns datagrams into calls
// on the waiting queue and the ordering, and gathers what is to be sent back. One for each accepted connection.
//
// The owner's loop, for each peer: receive() every datagram; then once for all peers
//     for each grant of queue.grant(now): peers[grant.peer].pass(grant)
//     ordering.set_expected(queue.oldest_expected_ns()); ordering.release(now, write); queue.released(each drained)
//     store.commit(); every peer's acknowledge(); every peer's outgoing() to its socket
// where `write` asks Ledger whether the event is new before it appends it to the store.
//
// Invariants
//  1. Every datagram is decoded and checked against the table of rights before anything of it is used.
//  2. An error is final: the caller logs the sentence, tries to send refusal(), and calls leave().
//  3. What waits to be sent is bounded: commits only go out when nothing waits, and a slave that asks without reading
//     the answers is in error.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/base/result.h"
#include "recorder/link/ledger.h"
#include "recorder/link/messages.h"
#include "recorder/link/ordering.h"
#include "recorder/link/waiting_queue.h"

namespace sidrec::link {

// Answers that may wait for one slave to read: it has one request open, so more than a few means it never reads.
inline constexpr size_t kMaxOutgoing = 64;

// What all peers of one master share.
struct MasterParts {
  WaitingQueue& queue;
  Ordering& ordering;
  Ledger& ledger;
};

class MasterPeer {
 public:
  MasterPeer(PeerId id, std::string sid, MasterParts parts) : id_(id), sid_(std::move(sid)), parts_(parts) {}
  MasterPeer(const MasterPeer&) = delete;
  MasterPeer& operator=(const MasterPeer&) = delete;

  enum class Heard : uint8_t {
    kNothing,  // outgoing() may have grown
    kHello,    // hello() is there; answer with welcome() once the session's identity is known
    kStatus,   // answer with report()
    kBye,      // it has sent everything (S9); once that is committed, acknowledge() says so
  };
  Result<Heard> receive(std::string_view datagram, uint64_t now_ns);

  // Takes it in as a member, and answers what HELLO asked for. What the store holds of it already is acknowledged at
  // once.
  void welcome(const SessionIdentity& identity, uint32_t retry_ms, uint64_t now_ns);
  void pass(const WaitingQueue::Grant& grant);
  void report(std::string text) { outgoing_.push_back(encode(Report{std::move(text)})); }
  // What was written of it is committed: acknowledges it, now or when its answers have been read. Who has said BYE
  // needs no room any more, and is told once, when everything is.
  void acknowledge();

  // The connection is over, for whatever reason. What it sent stays in the ordering.
  void leave();

  // The next datagram to send, if any; sent() drops it.
  const std::string* outgoing() const { return outgoing_.empty() ? nullptr : &outgoing_.front(); }
  void sent() { outgoing_.pop_front(); }
  static std::string refusal(const Error& why) { return encode(Refuse{why.message}); }

  PeerId id() const { return id_; }
  LinkState state() const { return state_; }
  // A slave at work, for S8: welcomed or about to be, and its BYE, if it said one, not answered.
  bool is_at_work() const { return state_ == LinkState::kGreeted || state_ == LinkState::kMember || owes_bye_ack_; }
  const Hello& hello() const { return hello_; }
  RecMarks* marks() const { return marks_; }  // of its recorder, once it said HELLO

 private:
  Result<Heard> on_hello(Hello hello);
  Result<Heard> on_request(const Request& request, uint64_t now_ns);
  Result<Heard> on_data(const Data& data, uint64_t now_ns);
  void answer(const Request& request, uint64_t now_ns);
  void answer_bye();
  bool is_held() const { return parts_.ordering.held_bytes(id_) > 0; }

  PeerId id_;
  std::string sid_;
  MasterParts parts_;
  LinkState state_ = LinkState::kNew;
  bool left_ = false;
  bool owes_bye_ack_ = false;
  Hello hello_;
  uint32_t retry_ms_ = kDefaultRetryMs;
  uint32_t last_request_ = 0;
  RecMarks* marks_ = nullptr;
  std::deque<std::string> outgoing_;
};

}  // namespace sidrec::link
