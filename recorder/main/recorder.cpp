#include "recorder/main/recorder.h"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "recorder/base/sid_path.h"
#include "recorder/trail/open_connections.h"

namespace sidrec {
namespace {

// So long after the last record the next one is expected soon: shallow sleep, no wake for each record.
constexpr uint64_t kTrafficNs = 20 * kMillisecond;
constexpr int kShallowMs = 2;
// What peers say is heard no more often than that, but for the first word: each hearing is a turn, and two recorders
// that answered each other at once would do nothing else. The host may wake us at any time.
constexpr int kAlonePaceMs = 1, kMasterPaceMs = 4, kSlavePaceMs = 8;
constexpr unsigned long kSlaveSlackNs = 4 * kMillisecond;
// So long after it was told to end, a recorder whose host is gone goes on trying.
constexpr uint64_t kLastTryNs = 5 * kSecond;

int pace_of(const Role& role) {
  if (role.is_in_flow()) return 0;
  if (!role.is_master()) return kSlavePaceMs;
  return role.has_slaves() ? kMasterPaceMs : kAlonePaceMs;
}

SidTemplate sid_template_of(const RingFacts& facts) { return {facts.sid_template, facts.program, facts.env}; }

}  // namespace

Recorder::Recorder(const RingFile& ring, Surroundings& around)
    : ring_(ring),
      around_(around),
      reader_(ring, [this](const std::string& why) { around_.log.error(why); }),
      tracker_(
          sid_template_of(ring.facts()), {ring.facts().host_pid, ring.facts().program, ring.facts().sid_source}, *this,
          [this](uint64_t conn, const ConnOpen& open) { return diag_.is_held(conn, open); }, around.settings.fold),
      outstanding_(ring.facts().lanes),
      watcher_(ring) {}

OwnerId Recorder::owner_of(const std::string& sid) {
  auto& owner = role_of_sid_[sid];
  if (owner == kNobody) {
    owner = ++last_owner_;
    const auto stored = stored_.find(sid);
    roles_.add(around_, owner, sid, stored == stored_.end() ? Stored{} : stored->second);
    left_.erase(sid);
    sid_of_role_[owner] = sid;
  }
  return owner;
}

OwnerId Recorder::owner_unknown() {
  settled_[++last_owner_] = kNobody;
  return last_owner_;
}

void Recorder::settle(OwnerId unknown, const std::string& sid) { settled_.at(unknown) = owner_of(sid); }

OwnerId Recorder::role_of(OwnerId owner) const {
  const auto settled = settled_.find(owner);
  return settled == settled_.end() ? owner : settled->second;
}

void Recorder::event(OwnerId owner, const EventHeader& header, std::string_view payload) {
  roles_.at(role_of(owner)).append(header, payload, now_ns_);
}

// What a line says of a record that is still in the ring will be told again, and recognised by the master.
void Recorder::restore() {
  const auto counts = [this](uint32_t lane, uint64_t pos) {
    return lane == kNoLane || (lane < outstanding_.lanes() && pos <= reader_.tail(lane));
  };
  const uint64_t now_ns = monotonic_ns();
  for (const auto& [sid, session] : around_.journal.sessions()) {
    const auto trail = Trail::find_unfinished(around_.ring.audit_dir, sid);
    const bool goes_on = trail && trail->session == session.session;
    std::set<std::string> ended = around_.journal.before(sid);
    if (!goes_on && !session.session.empty()) ended.insert(session.session);
    for (const std::string& each : ended) {
      auto looked = stored_[sid].look_into(around_.ring.audit_dir, sid, each, ring_.facts().ring_id);
      if (!looked) around_.log.error(looked.error().message);
    }
    const OwnerId owner = owner_of(sid);
    OpenConnections told;
    if (goes_on) {
      auto found = open_connections(trail->file, ring_.facts().ring_id, counts);
      if (!found) around_.log.error(found.error().message);
      if (found) told = std::move(*found);
    }
    const auto open =
        roles_.at(owner).restore(goes_on ? std::optional(session) : std::nullopt, std::move(told), counts, now_ns);
    for (const OpenConnection& connection : open) tracker_.restore(owner, connection, now_ns);
    around_.log.warn("goes on with " + encode_sid(sid) + ", " + std::to_string(open.size()) +
                     " connections, where another recorder has ended");
  }
}

void Recorder::note_signal(int signal_fd) {
  signalfd_siginfo info{};
  while (::read(signal_fd, &info, sizeof info) > 0) {
    told_to_end_ = true;
    around_.log.debug("signal " + std::to_string(info.ssi_signo) + (dead_ ? "" : ": the host lives, so do we"));
  }
}

// Not before it is needed: the hosts that a forking proxy makes have often gone by then, and two threads are a tenth of
// what such a host costs.
Result<void> Recorder::start_watcher() {
  if (auto started = watcher_.start(); !started) return started;
  wake_watch_ = around_.poller.watch(watcher_.wake_fd(), EPOLLIN, [this](uint32_t) { watcher_.clear_wake(); });
  death_watch_ = around_.poller.watch(watcher_.death_fd(), EPOLLIN, [this](uint32_t) {
    dead_ = true;
    death_watch_.want(0);
  });
  return {};
}

void Recorder::read_ring() {
  const size_t records = reader_.pass(now_ns_, dead_, [this](const RingRecord& record) {
    outstanding_.add(record.lane, record.pos, tracker_.take(record));
  });
  if (records > 0) last_traffic_ns_ = now_ns_;
  if (!reader_.has_more()) tracker_.on_timer(now_ns_);
  if (dead_ && reader_.is_drained() && !host_ended_) {
    host_ended_ = true;
    tracker_.host_died(now_ns_);
  }
}

void Recorder::turn_roles() {
  if (dead_ && told_to_end_ && ending_since_ns_ == 0) {
    ending_since_ns_ = now_ns_;
    roles_.wake_all();
  }
  const Role::Needs needs{.room = !dead_ && reader_.is_pressed(),
                          .soon = reader_.is_tight(),
                          .last = host_ended_,
                          .end = ending_since_ns_ != 0};
  roles_.turn(now_ns_, needs, [this](OwnerId done) {
    left_.insert(sid_of_role_.at(done));
    role_of_sid_.erase(sid_of_role_.at(done));
    sid_of_role_.erase(done);
  });
}

void Recorder::give_room_back() {
  const auto safe = [this](OwnerId owner, uint32_t lane) {
    const OwnerId id = role_of(owner);
    if (id == kNobody) return uint64_t{0};
    const Role* role = roles_.find(id);
    // A role that is done has committed everything.
    return role == nullptr ? std::numeric_limits<uint64_t>::max() : role->safe(lane);
  };
  for (uint32_t lane = 0; lane < outstanding_.lanes(); ++lane) {
    reader_.give_back(lane, outstanding_.advance(lane, reader_.tail(lane), safe));
  }
  if (left_.empty() || !outstanding_.is_empty() || !reader_.is_drained()) return;
  for (const std::string& sid : left_) {
    stored_.erase(sid);
    if (auto noted = around_.journal.leave(sid); !noted) around_.log.error(noted.error().message);
  }
  left_.clear();
}

bool Recorder::is_over() const { return dead_ && host_ended_ && roles_.empty(); }

// Told to end, with something left that no master takes: the ring and the spool keep it, for who comes next.
bool Recorder::gives_up() const { return ending_since_ns_ != 0 && now_ns_ >= ending_since_ns_ + kLastTryNs; }

int Recorder::timeout_ms() const {
  std::optional<uint64_t> soonest = tracker_.deadline_ns();
  sooner(soonest, roles_.deadline_ns(now_ns_));
  if (ending_since_ns_ != 0) sooner(soonest, ending_since_ns_ + kLastTryNs);
  if (!soonest) return -1;
  const uint64_t now_ns = monotonic_ns();
  if (*soonest <= now_ns) return 0;
  return static_cast<int>(std::min<uint64_t>((*soonest - now_ns) / kMillisecond + 1, 60'000));
}

// So long what is not urgent may wait: a reader of the trail sees what a master has of its own host soon, what comes
// over the link is held back for its order in any case, and fifty slaves that looked each millisecond would be a load
// by themselves.
int Recorder::pace_ms() const {
  std::optional<int> pace;
  roles_.for_each_awake([&pace](const Role& role) { pace = std::min(pace.value_or(kSlavePaceMs), pace_of(role)); });
  return pace.value_or(kAlonePaceMs);
}

Result<void> Recorder::sleep() {
  int timeout = timeout_ms();
  if (reader_.has_more() || (dead_ && !host_ended_)) {
    around_.poller.wait(0);
    return {};
  }
  const bool shallow = !dead_ && (now_ns_ < last_traffic_ns_ + kTrafficNs || reader_.has_unripe());
  const int pace = pace_ms();
  ease_timers(pace == kSlavePaceMs);
  const int shallow_ms = std::max(kShallowMs, pace);
  if (shallow) timeout = timeout < 0 ? shallow_ms : std::min(timeout, shallow_ms);
  const uint32_t depth = shallow ? ring::kShallow : ring::kDeep;
  if (timeout != 0 && pace > 0 && !dead_ && !reader_.is_pressed()) {
    const int paced = shallow ? timeout : timeout < 0 ? pace : std::min(pace, timeout);
    const bool woken = announce(depth | ring::kNap) || watcher_.nap(depth | ring::kNap, paced);
    timeout = woken ? 0 : timeout < 0 ? timeout : timeout - paced;
  }
  if (timeout != 0 && !dead_ && !watcher_.is_running()) {
    if (auto started = start_watcher(); !started) return started;
  }
  if (timeout != 0 && announce(depth)) timeout = 0;
  around_.poller.wait(timeout);
  ring_.sleep().store(ring::kAwake, std::memory_order_seq_cst);
  return {};
}

// Fifty slaves whose timers need not be exact are woken together, where each would have cost an interrupt by itself
// (PR_SET_TIMERSLACK of prctl(2)).
void Recorder::ease_timers(bool eased) {
  if (eased == timers_eased_) return;
  timers_eased_ = eased;
  (void)::prctl(PR_SET_TIMERSLACK, eased ? kSlaveSlackNs : 0UL, 0UL, 0UL, 0UL);  // 0: as it was
}

// Says how we are about to sleep, then looks once more: the writer publishes, then looks at what we said. Whether there
// is something to do.
bool Recorder::announce(uint32_t sleep) const {
  ring_.sleep().store(sleep, std::memory_order_seq_cst);
  return reader_.has_news(sleep & ring::kDeep ? 1 : ring_.facts().lane_bytes / 4);
}

Result<void> Recorder::run(int signal_fd) {
  signal_watch_ = around_.poller.watch(signal_fd, EPOLLIN, [this, signal_fd](uint32_t) { note_signal(signal_fd); });
  for (;;) {
    now_ns_ = monotonic_ns();
    dead_ = dead_ || (!watcher_.is_running() && ring_.is_dead());
    read_ring();
    turn_roles();
    give_room_back();
    if (is_over()) break;
    if (gives_up()) {
      roles_.keep_for_a_successor();
      around_.log.error("ends with " + std::to_string(roles_.size()) + " sessions not written: sidrec recover");
      return {};
    }
    if (auto slept = sleep(); !slept) return slept;
  }
  if (reader_.stuck_writers() > 0) {
    around_.log.warn(std::to_string(reader_.stuck_writers()) + " writers stood still and were not waited for");
  }
  around_.journal.remove();
  if (::unlink(ring_.path().c_str()) != 0 && errno != ENOENT) {
    around_.log.warn(errno_error("cannot remove " + ring_.path()).message);
  }
  return {};
}

}  // namespace sidrec
