// WaitingQueue: who may put how much into a master's waiting queue, and when (S6; DESIGN D6). Pure accounting: the
// events themselves are held by Ordering. Own events of the master never count; their bound is the master's ring.
//
// "Occupied" is what slaves have in the queue (held) and what they were allowed to send and have not sent yet (credit).
//
// Invariants
//  1. occupied <= capacity, but for one frame granted to an empty queue: any single record fits an empty queue.
//  2. A grant is at least one maximum frame or the whole request, so that it always lets a whole event through.
//  3. The oldest request is granted first. One maximum frame is kept free for it: a younger request leaves that much,
//     and nobody's share of the queue, capacity minus that frame split among the peers in need, includes it.
//  4. Credit ends with the peer, or with its next request; that of request 0, which is a guess, with the first DATA.
//     Held bytes stay until they are released to the store.
//  5. A peer that sends beyond its credit is in error, and nothing of its message counts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "recorder/base/clock.h"
#include "recorder/base/result.h"
#include "recorder/link/messages.h"

namespace sidrec::link {

// A peer of a master; chosen by the owner of the peers, never used twice in a master's life.
using PeerId = uint64_t;

// Holds a maximum frame of 250 slaves that all send at full speed, and the 20 ms window at 1.6 GB/s.
inline constexpr size_t kDefaultQueueBytes = 32 * 1024 * 1024;
// Credit unused for so long means a peer that was stopped: ending it gives its room to the others and loses nothing.
inline constexpr uint64_t kCreditPatienceNs = 10 * kSecond;

class WaitingQueue {
 public:
  explicit WaitingQueue(size_t capacity_bytes = kDefaultQueueBytes) : capacity_(capacity_bytes) {}

  void add_peer(PeerId peer) { peers_.try_emplace(peer); }
  // Its credit and its request end here.
  void remove_peer(PeerId peer);

  // The peer asks. Passed with that much credit, or told to wait (no credit), in which case it stays in line and
  // grant() may pass it later. A request for nothing only ends the last one: nothing to answer.
  struct Answer {
    uint32_t request = 0;
    uint64_t credit = 0;  // 0: wait
  };
  std::optional<Answer> request(PeerId peer, const Request& request, uint64_t now_ns);

  // The peer sent `bytes` of events, the last of them `last_ns` old.
  Result<void> accept(PeerId peer, size_t bytes);
  void reached(PeerId peer, uint64_t last_ns);
  // `bytes` of that peer, which may be gone, went to the store.
  void released(PeerId peer, size_t bytes);

  // The requests that can be passed by now, oldest first. To be called when room may have appeared.
  struct Grant {
    PeerId peer;
    uint32_t request;
    uint64_t credit;
  };
  std::vector<Grant> grant(uint64_t now_ns);

  // How old the oldest data is that is still to come and can come: on its way within a credit, or waiting for the
  // peer's own held bytes to leave. A request that waits for the bytes of others cannot come before these are released,
  // so holding them back for it would hold back both.
  std::optional<uint64_t> oldest_expected_ns() const;

  // Peers that have not used their credit for kCreditPatienceNs.
  std::vector<PeerId> overdue(uint64_t now_ns) const;

  size_t capacity() const { return capacity_; }
  size_t occupied() const { return held_ + credit_; }
  size_t waiting() const { return waiting_.size(); }
  // Of a peer: what it has in the queue, and what it may send.
  size_t occupied(PeerId peer) const;
  bool is_waiting(PeerId peer) const;
  // Answered so far.
  uint64_t passes() const { return passes_; }
  uint64_t waits() const { return waits_; }

 private:
  struct Peer {
    uint64_t held = 0;
    uint64_t credit = 0;
    uint64_t wanted = 0;     // bytes of the request in line, 0 when none
    uint64_t oldest_ns = 0;  // of the request in line, or of what the credit is for
    uint64_t granted_ns = 0;
    uint32_t request = 0;
    bool active = false;  // counted in active_
  };

  uint64_t room_for(PeerId id, const Peer& peer) const;
  uint64_t try_grant(PeerId id, Peer& peer, uint64_t now_ns);
  void end_request(PeerId id, Peer& peer);
  void recount(Peer& peer);

  size_t capacity_;
  uint64_t held_ = 0;
  uint64_t credit_ = 0;
  uint64_t passes_ = 0, waits_ = 0;
  size_t active_ = 0;  // peers with something held, granted or asked for
  std::map<PeerId, Peer> peers_;
  std::set<std::pair<uint64_t, PeerId>> waiting_;  // by age
};

}  // namespace sidrec::link
