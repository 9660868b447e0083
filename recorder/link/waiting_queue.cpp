#include "recorder/link/waiting_queue.h"

#include <algorithm>
#include <string>

namespace sidrec::link {

void WaitingQueue::recount(Peer& peer) {
  const bool active = peer.held + peer.credit + peer.wanted > 0;
  if (active == peer.active) return;
  peer.active = active;
  active_ += active ? 1 : -1;
}

// Takes back what the last request brought: credit, or a place in line.
void WaitingQueue::end_request(PeerId id, Peer& peer) {
  waiting_.erase({peer.oldest_ns, id});
  peer.wanted = 0;
  credit_ -= peer.credit;
  peer.credit = 0;
  recount(peer);
}

void WaitingQueue::remove_peer(PeerId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  end_request(id, found->second);
  if (found->second.active) --active_;
  peers_.erase(found);
}

// How much of the queue this waiting peer may take now; 0 when that would not let a whole event through.
uint64_t WaitingQueue::room_for(PeerId id, const Peer& peer) const {
  const uint64_t least = std::min<uint64_t>(peer.wanted, kMaxFrameBytes);
  if (occupied() == 0 && waiting_.begin()->second == id && capacity_ < least) return least;

  const uint64_t reserve = std::min<uint64_t>(kMaxFrameBytes, capacity_);
  const uint64_t share = std::max<uint64_t>(kMaxFrameBytes, (capacity_ - reserve) / std::max<size_t>(active_, 1));
  const uint64_t taken = occupied() + (waiting_.begin()->second == id ? 0 : reserve);
  if (taken >= capacity_ || peer.held >= share) return 0;
  const uint64_t room = std::min({peer.wanted, capacity_ - taken, share - peer.held});
  return room >= least ? room : 0;
}

uint64_t WaitingQueue::try_grant(PeerId id, Peer& peer, uint64_t now_ns) {
  const uint64_t room = room_for(id, peer);
  if (room == 0) return 0;
  waiting_.erase({peer.oldest_ns, id});
  peer.wanted = 0;
  peer.credit = room;
  peer.granted_ns = now_ns;
  credit_ += room;
  ++passes_;
  return room;
}

std::optional<WaitingQueue::Answer> WaitingQueue::request(PeerId id, const Request& request, uint64_t now_ns) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return std::nullopt;
  Peer& peer = found->second;
  end_request(id, peer);
  if (request.bytes == 0) return std::nullopt;
  peer.request = request.request;
  peer.wanted = request.bytes;
  peer.oldest_ns = request.oldest_ns;
  waiting_.insert({peer.oldest_ns, id});
  recount(peer);
  const uint64_t credit = try_grant(id, peer, now_ns);
  if (credit == 0) ++waits_;
  return Answer{request.request, credit};
}

Result<void> WaitingQueue::accept(PeerId id, size_t bytes) {
  const auto found = peers_.find(id);
  const uint64_t credit = found == peers_.end() ? 0 : found->second.credit;
  if (bytes > credit) {
    return Error{"DATA of " + std::to_string(bytes) + " bytes beyond a credit of " + std::to_string(credit)};
  }
  Peer& peer = found->second;
  peer.credit -= bytes;
  credit_ -= bytes;
  peer.held += bytes;
  held_ += bytes;
  if (peer.request == 0) {
    credit_ -= peer.credit;
    peer.credit = 0;
  }
  return {};
}

void WaitingQueue::reached(PeerId id, uint64_t last_ns) {
  const auto found = peers_.find(id);
  // A request in line keeps the age by which it stands there.
  if (found != peers_.end() && found->second.wanted == 0) found->second.oldest_ns = last_ns;
}

void WaitingQueue::released(PeerId id, size_t bytes) {
  held_ -= std::min<uint64_t>(bytes, held_);
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  found->second.held -= std::min<uint64_t>(bytes, found->second.held);
  recount(found->second);
}

std::vector<WaitingQueue::Grant> WaitingQueue::grant(uint64_t now_ns) {
  std::vector<Grant> grants;
  for (auto next = waiting_.begin(); next != waiting_.end() && occupied() < capacity_;) {
    const PeerId id = next->second;
    ++next;  // granting takes the request out of line
    Peer& peer = peers_.at(id);
    const uint64_t credit = try_grant(id, peer, now_ns);
    if (credit > 0) grants.push_back({id, peer.request, credit});
  }
  return grants;
}

std::optional<uint64_t> WaitingQueue::oldest_expected_ns() const {
  std::optional<uint64_t> oldest;
  for (const auto& [id, peer] : peers_) {
    const bool under_way = peer.credit >= sizeof(EventHeader);
    const bool behind_its_own = peer.wanted > 0 && peer.held > 0;
    if ((under_way || behind_its_own) && (!oldest || peer.oldest_ns < *oldest)) oldest = peer.oldest_ns;
  }
  return oldest;
}

size_t WaitingQueue::occupied(PeerId id) const {
  const auto found = peers_.find(id);
  return found == peers_.end() ? 0 : found->second.held + found->second.credit;
}

bool WaitingQueue::is_waiting(PeerId id) const {
  const auto found = peers_.find(id);
  return found != peers_.end() && found->second.wanted > 0;
}

std::vector<PeerId> WaitingQueue::overdue(uint64_t now_ns) const {
  std::vector<PeerId> peers;
  for (const auto& [id, peer] : peers_) {
    if (peer.credit > 0 && now_ns >= peer.granted_ns + kCreditPatienceNs) peers.push_back(id);
  }
  return peers;
}

}  // namespace sidrec::link
