#include "recorder/main/master.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "recorder/base/sid_path.h"

namespace sidrec {

using link::MasterPeer;
using link::SendResult;

namespace {

constexpr link::Ordering::SourceId kOwn = 0;  // peers count from 1
constexpr int kMaxAccepts = 256;              // in one turn
constexpr size_t kMostSlavesReported = 500;   // one report is one datagram
constexpr int kMaxHeard = 64;                 // messages of one peer in one turn
constexpr size_t kInFlowBytes = link::kMaxFrameBytes / 2;
// So long a connection may say nothing: a slave says HELLO at once.
constexpr uint64_t kHelloPatienceNs = 5 * kSecond;
// Longer than the usual window, far shorter than the host's patience.
constexpr uint64_t kOwnHoldNs = 30 * kMillisecond;
constexpr uint64_t kNoDescriptorPauseNs = 100 * kMillisecond;
constexpr uint64_t kLookAtSilentNs = kSecond;
// After a takeover the other slaves say HELLO within some milliseconds.
constexpr uint64_t kHelloAfterTakeoverNs = 300 * kMillisecond;
constexpr uint64_t kLookForAbsentNs = 200 * kMillisecond;
// Who has not come back by then never will: `sidrec recover` has what its ring holds.
constexpr uint64_t kAbsentPatienceNs = 60 * kSecond;

// The first client of a session seldom comes alone: the recorders of its other hosts are still starting. So long a
// new master holds events back as if it had slaves; not more than this part of a lane, for a host in full flow must not
// run out of room.
constexpr uint64_t kYoungWindows = 2;
constexpr uint32_t kYoungPartOfLane = 8;

link::OrderingSettings ordering_settings(const Settings& settings) {
  link::OrderingSettings ordering;
  ordering.window_ns = settings.order_window_ms * kMillisecond;
  ordering.max_window_ns = std::max(ordering.max_window_ns, ordering.window_ns);
  return ordering;
}

}  // namespace

Master::Master(Surroundings& around, std::string sid, Place place, std::optional<SessionIdentity> known,
               uint64_t first_ns, uint64_t now_ns, std::function<void()> wake)
    : around_(around),
      sid_(std::move(sid)),
      wake_(std::move(wake)),
      place_(std::move(place)),
      since_ns_(now_ns),
      queue_(around.settings.queue_bytes),
      ordering_(ordering_settings(around.settings)),
      session_(around, sid_, std::move(known), first_ns, now_ns),
      own_marks_(&session_.ledger().of(around.ring.ring_id)) {
  ordering_.add_source(kOwn, around_.ring.ring_id, now_ns);
  marks_of_[kOwn] = own_marks_;
  listener_watch_ = around_.poller.watch(place_.listener.get(), EPOLLIN, [this](uint32_t) {
    callers_ = true;
    wake_();
  });
  around_.log.debug("master of " + encode_sid(sid_));
}

Master::~Master() {
  listener_watch_.end();
  for (auto& [id, peer] : peers_) peer->watch.end();
  peers_.clear();
  place_.listener.reset();
  ::unlink(place_.socket_path.c_str());
}

size_t Master::slaves_at_work() const {
  return static_cast<size_t>(std::count_if(peers_.begin(), peers_.end(), [](const auto& entry) {
    const Peer& peer = *entry.second;
    return !peer.gone && (peer.link.is_at_work() || peer.link.state() == link::LinkState::kNew);
  }));
}

bool Master::writes_directly(uint64_t now_ns) const {
  return peers_.empty() && own_frame_.empty() && ordering_.empty() && !is_young(now_ns);
}

bool Master::is_young(uint64_t now_ns) const {
  return !flooded_ && now_ns < since_ns_ + kYoungWindows * around_.settings.order_window_ms * kMillisecond;
}

void Master::append(const EventHeader& header, std::string_view payload, uint64_t now_ns) {
  if (!writes_directly(now_ns)) {
    append_event(own_frame_, header, payload);
    return;
  }
  EventHeader whole = header;
  whole.payload = static_cast<uint32_t>(payload.size());
  session_.write(*own_marks_, around_.ring.ring_id, {&whole, payload}, false, now_ns);
  ordering_.note_direct(header.time_ns);
}

void Master::accept_peers(uint64_t now_ns) {
  if (!callers_ || now_ns < accept_again_ns_) return;
  accept_again_ns_ = 0;
  listener_watch_.want(EPOLLIN);
  for (int accepted = 0; accepted < kMaxAccepts; ++accepted) {
    auto socket = link::accept_one(place_.listener.get());
    if (!socket) {
      around_.log.warn(socket.error().message);
      if (socket.error().code != EMFILE && socket.error().code != ENFILE) continue;
      accept_again_ns_ = now_ns + kNoDescriptorPauseNs;
      listener_watch_.want(0);
      return;
    }
    if (!*socket) break;
    const link::PeerId id = ++last_peer_;
    auto peer = std::make_unique<Peer>(id, sid_, link::MasterParts{queue_, ordering_, session_.ledger()});
    peer->since_ns = now_ns;
    peer->socket = std::move(*socket);
    peer->watch = around_.poller.watch(peer->socket.get(), EPOLLIN, [this, to = peer.get()](uint32_t events) {
      wake_();
      to->readable = to->readable || (events & ~uint32_t{EPOLLOUT}) != 0;
      if (!(events & EPOLLOUT)) return;
      to->blocked = false;
      to->watch.want(EPOLLIN);
    });
    peers_.emplace(id, std::move(peer));
  }
  callers_ = false;
}

void Master::drop(Peer& peer, const Error& why) {
  around_.log.warn("slave " + (peer.link.hello().rec.empty() ? "without a name" : peer.link.hello().rec) + ": " +
                   why.message);
  if (!peer.blocked) (void)link::send_message(peer.socket.get(), MasterPeer::refusal(why));
  peer.gone = true;
}

bool Master::is_here(const std::string& rec) const {
  return std::any_of(peers_.begin(), peers_.end(),
                     [&rec](const auto& entry) { return entry.second->link.hello().rec == rec; });
}

void Master::expect(const std::string& rec, uint64_t now_ns, uint64_t patience_ns) {
  if (rec != around_.ring.ring_id) absent_.try_emplace(rec, Absent{now_ns, now_ns + patience_ns});
}

// Those that died before their first word to us.
void Master::expect_unheard(uint64_t now_ns) {
  if (!troubled_) return;
  troubled_ = false;
  for (const std::string& path : find_members(around_.ring.run_dir, membership())) {
    const std::string rec = std::filesystem::path(path).stem().string();
    if (!is_here(rec)) expect(rec, now_ns, 0);
  }
}

void Master::look_for_absent(uint64_t now_ns) {
  for (auto at = absent_.begin(); at != absent_.end();) {
    auto& [rec, absent] = *at;
    if (now_ns < absent.look_ns) {
      ++at;
      continue;
    }
    absent.look_ns = now_ns + kLookForAbsentNs;
    const bool given_up = now_ns >= absent.since_ns + kAbsentPatienceNs;
    if (given_up) around_.log.error(rec + " has not come back to " + encode_sid(sid_));
    // Who ends properly removes the ring, and who leaves says so in its journal.
    const std::string ring = ring_path(around_.ring.run_dir, rec);
    const bool left = session_.is_open() && !is_member(ring, membership());
    const bool gone = given_up || left || !start_successor(ring);
    at = gone ? absent_.erase(at) : std::next(at);
  }
}

void Master::on_hello(Peer& peer, uint64_t now_ns) {
  absent_.erase(peer.link.hello().rec);
  const auto& known = peer.link.hello().known;
  const bool is_over = only_ends() && absent_.empty() && slaves_at_work() <= 1;
  if (is_over && session_.is_open() && (!known || known->session != session_.identity().session)) {
    return drop(peer, Error{"this session is only being ended"});
  }
  marks_of_[peer.link.id()] = peer.link.marks();
  session_.on_known(peer.link.hello().known, now_ns);
  if (session_.is_open() && welcomed_) {
    peer.link.welcome(session_.identity(), around_.settings.retry_ms, now_ns);
  }
}

// What `sidrec status` shows (docs/link-protocol.md).
std::string Master::report(uint64_t now_ns) const {
  using nlohmann::ordered_json;
  ordered_json slaves = ordered_json::array();
  for (const auto& [id, peer] : peers_) {
    const link::Hello& hello = peer->link.hello();
    if (!peer->link.is_at_work() || slaves.size() == kMostSlavesReported) continue;
    slaves.push_back({{"rec", hello.rec},
                      {"program", hello.program},
                      {"pid", hello.host_pid},
                      {"queued", queue_.occupied(id)},
                      {"waits", queue_.is_waiting(id)}});
  }
  ordered_json report = {{"sid", sid_},
                         {"master", around_.ring.ring_id},
                         {"program", around_.ring.program},
                         {"pid", around_.ring.host_pid},
                         {"recorder_pid", around_.self.pid},
                         {"master_for_ms", (now_ns - since_ns_) / kMillisecond},
                         {"state", !session_.is_open()     ? "deciding"
                                   : session_.is_failing() ? "cannot write"
                                                           : "open"},
                         {"slaves", slaves_at_work()},
                         {"absent", absent_.size()},
                         {"queue_bytes", queue_.occupied()},
                         {"queue_bound", queue_.capacity()},
                         {"waiting", queue_.waiting()},
                         {"passes", queue_.passes()},
                         {"waits", queue_.waits()},
                         {"window_ms", ordering_.window_ns() / kMillisecond},
                         {"late", ordering_.late_events()}};
  const uint64_t oldest_ns = ordering_.oldest_held_ns().value_or(now_ns);
  report["lag_ms"] = (now_ns - std::min(now_ns, oldest_ns)) / kMillisecond;
  if (session_.is_open()) {
    const SessionTotals& totals = session_.totals();
    report.update(ordered_json{{"session", session_.identity().session},
                               {"epoch", session_.identity().epoch},
                               {"file", session_.file()},
                               {"connections", totals.connections},
                               {"records", totals.records},
                               {"bytes_in", totals.bytes_in},
                               {"bytes_out", totals.bytes_out},
                               {"gaps", totals.gaps}});
  }
  report["slave"] = std::move(slaves);
  return report.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void Master::hear(Peer& peer, uint64_t now_ns) {
  for (int heard = 0; peer.readable && heard < kMaxHeard; ++heard) {
    UniqueFd shown;
    const bool is_new = peer.link.state() == link::LinkState::kNew;
    const auto received = link::receive_message(peer.socket.get(), buffer_, is_new ? &shown : nullptr);
    if (!received) return drop(peer, received.error());
    if (received->kind == link::Received::Kind::kEnd) {
      peer.gone = true;
      return;
    }
    if (received->kind == link::Received::Kind::kAgain) break;
    in_flow_ = in_flow_ || received->datagram.size() >= kInFlowBytes;
    const auto said = peer.link.receive(received->datagram, now_ns);
    if (!said) return drop(peer, said.error());
    if (*said == MasterPeer::Heard::kHello) {
      const std::string ring = ring_path(around_.ring.run_dir, peer.link.hello().rec);
      if (!holds_ring(shown.get(), ring)) return drop(peer, Error{"HELLO without being the reader of " + ring});
      on_hello(peer, now_ns);
    }
    if (*said == MasterPeer::Heard::kStatus) peer.link.report(report(now_ns));
  }
  peer.readable = false;  // level-triggered: what is left comes up again
}

// The session has become known: everybody who waited for it may begin.
void Master::welcome_all(uint64_t now_ns) {
  if (welcomed_ || !session_.is_open()) return;
  welcomed_ = true;
  troubled_ = session_.identity().epoch > 1;
  for (const std::string& rec : session_.recorders_at_work()) {
    if (!is_here(rec)) expect(rec, since_ns_, kHelloAfterTakeoverNs);
  }
  for (auto& [id, peer] : peers_) {
    if (!peer->gone && peer->link.state() == link::LinkState::kGreeted) {
      peer->link.welcome(session_.identity(), around_.settings.retry_ms, now_ns);
    }
  }
}

bool Master::must_release_own(uint64_t now_ns) const { return needs_room_ && now_ns >= own_moved_ns_ + kOwnHoldNs; }

void Master::release(uint64_t now_ns) {
  if (ordering_.held_bytes(kOwn) == 0) own_moved_ns_ = now_ns;
  if (!own_frame_.empty()) {
    if (auto added = ordering_.add_frame(kOwn, std::exchange(own_frame_, {}), now_ns); !added) {
      around_.log.error("own events: " + added.error().message);
    }
  }
  // A full disk must not be made up for by memory: the queue fills, and slaves wait with what they have.
  if (session_.is_failing()) return;
  flooded_ = flooded_ || ordering_.held_bytes() > around_.ring.lane_bytes / kYoungPartOfLane;
  ordering_.set_slaves(std::max<size_t>(peers_.size(), is_young(now_ns)));
  ordering_.set_expected(queue_.oldest_expected_ns());
  const auto write = [this, now_ns](const link::Ordering::Released& released) {
    session_.write(*marks_of_[released.source], released.rec, released.event, released.late, now_ns);
  };
  const auto& drained = must_release_own(now_ns) ? ordering_.release_all(write) : ordering_.release(now_ns, write);
  for (const auto& [source, bytes] : drained) {
    if (source == kOwn) {
      own_moved_ns_ = now_ns;
    } else {
      queue_.released(source, bytes);
    }
  }
}

void Master::commit(uint64_t now_ns) {
  if (!session_.commit(now_ns)) return;
  for (const link::Commit& commit : own_marks_->take_commits()) {
    for (const link::CommitMark& mark : commit.marks) {
      if (mark.lane < committed_.size()) committed_[mark.lane] = mark.pos;
    }
  }
}

void Master::speak(Peer& peer) {
  while (!peer.gone && !peer.blocked) {
    const std::string* datagram = peer.link.outgoing();
    if (datagram == nullptr) return;
    const auto sent = link::send_message(peer.socket.get(), *datagram);
    if (sent && *sent == SendResult::kSent) {
      peer.link.sent();
      continue;
    }
    if (!sent) return drop(peer, sent.error());
    peer.blocked = true;  // for good when it is gone: its end is still to be heard
    if (*sent == SendResult::kAgain) peer.watch.want(uint32_t{EPOLLIN} | uint32_t{EPOLLOUT});
  }
}

void Master::end_silent_peers(uint64_t now_ns) {
  for (const link::PeerId id : queue_.overdue(now_ns)) {
    if (const auto peer = peers_.find(id); peer != peers_.end()) {
      drop(*peer->second, Error{"did not use its credit"});
    }
  }
  for (auto& [id, peer] : peers_) {
    const bool silent = peer->link.state() == link::LinkState::kNew && now_ns >= peer->since_ns + kHelloPatienceNs;
    if (silent && !peer->gone) drop(*peer, Error{"said nothing"});
  }
}

void Master::turn(uint64_t now_ns, bool needs_room) {
  needs_room_ = needs_room;
  session_.on_timer(now_ns);
  welcome_all(now_ns);
  accept_peers(now_ns);
  in_flow_ = false;
  for (auto& [id, peer] : peers_) {
    if (peer->readable && !peer->gone) hear(*peer, now_ns);
  }
  welcome_all(now_ns);
  if (session_.is_open()) {
    release(now_ns);
    for (const auto& grant : queue_.grant(now_ns)) peers_.at(grant.peer)->link.pass(grant);
    commit(now_ns);
  }
  if (!peers_.empty()) end_silent_peers(now_ns);
  if (!absent_.empty()) look_for_absent(now_ns);
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    speak(*peer->second);
    if (session_.is_clean()) peer->second->link.acknowledge();
    speak(*peer->second);
    if (peer->second->gone) {
      const bool at_work = peer->second->link.is_at_work();
      troubled_ = troubled_ || at_work || peer->second->link.state() != link::LinkState::kLeaving;
      if (at_work) expect(peer->second->link.hello().rec, now_ns, 0);
      peer->second->link.leave();
      peer->second->watch.end();
      peer = peers_.erase(peer);
    } else {
      ++peer;
    }
  }
}

bool Master::is_quiet() const {
  if (!takes_events() || !welcomed_ || callers_ || !is_clean() || !absent_.empty() || queue_.occupied() > 0)
    return false;
  return std::all_of(peers_.begin(), peers_.end(), [](const auto& entry) {
    const Peer& peer = *entry.second;
    return !peer.readable && !peer.gone && (peer.blocked || peer.link.outgoing() == nullptr);
  });
}

std::optional<uint64_t> Master::deadline_ns(uint64_t now_ns) const {
  std::optional<uint64_t> soonest = session_.deadline_ns();
  const bool releases = session_.is_open() && !session_.is_failing();
  if (releases && needs_room_ && ordering_.held_bytes(kOwn) > 0) sooner(soonest, own_moved_ns_ + kOwnHoldNs);
  if (releases) sooner(soonest, ordering_.next_release_ns());
  if (!peers_.empty()) sooner(soonest, now_ns + kLookAtSilentNs);
  if (accept_again_ns_ != 0) sooner(soonest, accept_again_ns_);
  for (const auto& [rec, absent] : absent_) sooner(soonest, absent.look_ns);
  return soonest;
}

bool Master::end(uint64_t now_ns) {
  callers_ = true;
  if (!ending_ && session_.is_open()) expect_unheard(now_ns);
  if (!ending_) turn(now_ns, needs_room_);
  if (!ending_ && (has_slaves() || !is_clean())) return false;
  ending_ = true;
  return session_.end(now_ns);
}

}  // namespace sidrec
