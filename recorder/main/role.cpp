#include "recorder/main/role.h"

#include <algorithm>
#include <utility>

#include "recorder/base/sid_path.h"
#include "recorder/main/orphans.h"

namespace sidrec {

Role::Role(Surroundings& around, std::string sid, std::function<void()> wake, Stored stored)
    : around_(around),
      sid_(std::move(sid)),
      wake_(std::move(wake)),
      spool_(around.ring.run_dir, around.ring.ring_id, sid_),
      stored_(std::move(stored)) {}

// Logs a trouble of the election once, however often it is tried.
void Role::complain(const Error& error) {
  if (error.message == complaint_) return;
  complaint_ = error.message;
  around_.log.error(error.message);
}

// --- the election

void Role::follow(Step step, uint64_t now_ns) {
  while (step != Step::kNone) {
    switch (step) {
      case Step::kConnect: step = connect(now_ns); break;
      case Step::kLock: step = lock(now_ns); break;
      case Step::kBind: step = bind(now_ns); break;
      case Step::kSendHello: {
        slave_ = std::make_unique<Slave>(around_, flow_, std::move(connection_), wake_);
        const bool said =
            slave_->say_hello({around_.ring.ring_id, sid_, around_.ring.program, around_.ring.host_pid,
                               static_cast<uint32_t>(connections_), known_, flow_.oldest_unsent_ns().value_or(0)});
        step = said ? Step::kNone : election_.on_end(now_ns);
        break;
      }
      case Step::kMaster:
        become_master(now_ns);
        step = Step::kNone;
        break;
      case Step::kPause:
        slave_.reset();
        lock_ = {};
        step = Step::kNone;
        break;
      case Step::kSlave:
      case Step::kNone: step = Step::kNone; break;
    }
  }
}

Role::Step Role::connect(uint64_t now_ns) {
  auto outcome = link::connect_to(socket_path(around_.ring.run_dir, sid_));
  if (!outcome.error.message.empty()) complain(outcome.error);
  connection_ = std::move(outcome.fd);
  return election_.on_connect(outcome.result, now_ns);
}

Role::Step Role::lock(uint64_t now_ns) {
  auto made = make_sid_dir(around_.ring.audit_dir, sid_);
  auto locked = made ? link::lock_directory(sid_dir(around_.ring.audit_dir, sid_)) : made.error();
  if (!locked) {
    complain(locked.error());
    election_.on_lock(true, now_ns);
    return election_.on_bind(false, now_ns);  // the pause for what an administrator must mend
  }
  if (*locked && leaves_it_to_a_successor()) {
    election_.on_lock(true, now_ns);
    return election_.on_bind(false, now_ns);
  }
  lock_ = std::move(*locked);
  return election_.on_lock(static_cast<bool>(lock_), now_ns);
}

// What recorders have left in their rings belongs to a session before ours (DESIGN D12): successors become its master
// and finish it, while we wait; our connection then begins another one.
bool Role::leaves_it_to_a_successor() {
  if (gave_way_ || known_ || around_.only_ends) return false;
  for (const std::string& path : find_orphans(around_.ring.run_dir, sid_)) {
    gave_way_ = start_successor(path) || gave_way_;
  }
  return gave_way_;
}

void Role::know(const SessionIdentity& session) {
  known_ = session;
  if (auto noted = around_.journal.note(sid_, session); !noted) complain(noted.error());
}

void Role::know_own_session() {
  if (!master_->takes_events() || (known_ && known_->session == master_->identity().session)) return;
  know(master_->identity());
}

void Role::leave_out_what_is_stored() {
  const uint64_t before = flow_.uncommitted_bytes();
  (void)flow_.on_commit(stored_.marks());
  spool_.committed(before - std::min(before, flow_.uncommitted_bytes()));
  for (const link::CommitMark& mark : stored_.marks().marks) {
    if (mark.lane < safe_.size()) safe_[mark.lane] = std::max(safe_[mark.lane], std::min(mark.pos, given_[mark.lane]));
  }
}

// The session we were in has ended without our hearing what of ours is in its trail: the next master will not know.
void Role::look_into_lost_session() {
  if (in_doubt_) {
    auto looked = stored_.look_into(around_.ring.audit_dir, sid_, known_->session, around_.ring.ring_id);
    if (!looked) around_.log.error(looked.error().message);
    leave_out_what_is_stored();
  }
  in_doubt_ = false;
}

std::vector<OpenConnection> Role::restore(const std::optional<SessionIdentity>& session, OpenConnections told,
                                          const CountsLine& counts, uint64_t now_ns) {
  known_ = session;
  progress_ns_ = now_ns;
  if (auto left = spool_.take_over(); left) {
    for_each_event(*left, [&](const EventHeader& header, auto payload) {
      if (!counts(header.lane, header.pos)) return;  // its recorder died before it freed the ring of it
      told.note({&header, payload});
      append_to_flow(header, payload);
    });
  } else {
    around_.log.error(left.error().message);
  }
  if (!stored_.is_empty()) leave_out_what_is_stored();
  connections_ = told.open.size();
  // A session that has ended has told everything: only what comes after it begins another.
  if (!known_ && !stored_.is_empty() && is_idle()) return std::move(told.open);
  started_ = true;
  follow(election_.start(), now_ns);
  return std::move(told.open);
}

Role::Step Role::bind(uint64_t now_ns) {
  auto listener = link::listen_at(socket_path(around_.ring.run_dir, sid_));
  if (!listener) {
    complain(listener.error());
    return election_.on_bind(false, now_ns);
  }
  connection_ = std::move(*listener);
  return election_.on_bind(true, now_ns);
}

void Role::become_master(uint64_t now_ns) {
  slave_.reset();
  if (known_ && !session_is_orphaned()) {
    look_into_lost_session();
    known_.reset();
  }
  in_doubt_ = false;
  const uint64_t first_ns = flow_.oldest_unsent_ns().value_or(now_ns);
  Master::Place place{std::move(lock_), std::move(connection_), socket_path(around_.ring.run_dir, sid_)};
  master_ = std::make_unique<Master>(around_, sid_, std::move(place), known_, first_ns, now_ns, wake_);
  know_own_session();
}

// --- as a slave

void Role::on_master_gone(Step next, uint64_t now_ns) {
  in_doubt_ = in_doubt_ || (known_ && flow_.uncommitted_bytes() > flow_.unsent_bytes());
  flow_.on_master_lost();
  slave_.reset();
  follow(next, now_ns);
}

// The master died before it could end the session, and we may be the last who knows it.
bool Role::session_is_orphaned() const {
  if (!known_) return false;
  const auto unfinished = Trail::find_unfinished(around_.ring.audit_dir, sid_);
  return unfinished && unfinished->session == known_->session;
}

void Role::leave_or_start_again(uint64_t now_ns) {
  slave_.reset();
  flow_.on_master_lost();
  election_ = link::Election{};
  if (is_idle()) {
    done_ = true;
  } else {
    follow(election_.start(), now_ns);
  }
}

Slave::News Role::hear_master(uint64_t now_ns) {
  const uint64_t before = flow_.uncommitted_bytes();
  const Slave::News news = slave_->hear(now_ns);
  const uint64_t dropped = before - std::min(before, flow_.uncommitted_bytes());
  spool_.committed(dropped);
  if (dropped > 0) progress_ns_ = now_ns;
  if (flow_.all_committed()) in_doubt_ = false;
  for (uint32_t lane = 0; lane < around_.ring.lanes; ++lane) {
    safe_[lane] = std::max(safe_[lane], std::min(flow_.committed(lane), given_[lane]));
  }
  return news;
}

void Role::turn_slave(uint64_t now_ns) {
  Slave::News news = hear_master(now_ns);
  if (news == Slave::News::kWelcome) {
    if (known_ && known_->session != slave_->identity().session) look_into_lost_session();
    know(slave_->identity());
    complaint_.clear();
    follow(election_.on_welcome(), now_ns);
    news = hear_master(now_ns);  // what HELLO asked for comes with it
  }
  switch (news) {
    case Slave::News::kNone:
    case Slave::News::kWelcome: break;
    case Slave::News::kRefused:
      complain(Error{"the master of " + encode_sid(sid_) + ": " + slave_->why()});
      return on_master_gone(election_.on_refused(now_ns), now_ns);
    case Slave::News::kEnded:
      around_.log.debug("the master of " + encode_sid(sid_) + " is gone");
      if (slave_->is_leaving() && flow_.all_committed() && !session_is_orphaned()) return leave_or_start_again(now_ns);
      return on_master_gone(election_.on_end(now_ns), now_ns);
    case Slave::News::kByeAck:
      if (!flow_.all_committed()) return on_master_gone(election_.on_end(now_ns), now_ns);
      return leave_or_start_again(now_ns);
  }
  if (!slave_->is_member()) return;
  do {
    refill_from_spool(now_ns);
    slave_->speak(now_ns, spool_.unread_bytes());
  } while (flow_.is_spooling() && spool_.unread_bytes() > 0 && flow_.unsent_bytes() <= behind_);
  if (is_idle() || (needs_.last && has_sent_all())) slave_->say_bye();
}

// --- as the master

uint64_t Role::linger_ns() const {
  return master_ && master_->only_ends() ? 0 : around_.settings.linger_ms * kMillisecond;
}

void Role::turn_master(uint64_t now_ns, bool leaving) {
  if (master_->takes_events() && !flow_.all_committed()) hand_over_everything(now_ns);
  master_->turn(now_ns, needs_.room);
  know_own_session();
  for (uint32_t lane = 0; lane < around_.ring.lanes; ++lane) {
    safe_[lane] = std::max(safe_[lane], std::min(master_->committed(lane), given_[lane]));
  }
  if (spool_.bytes() > 0 && has_written_spool()) spool_.remove();
  const bool ended = connections_ == 0 && master_->is_clean() && (flow_.all_committed() || !master_->takes_events());
  if (!ended || (master_->has_slaves() && !leaving)) {
    idle_since_ns_.reset();
    return;
  }
  if (!idle_since_ns_) idle_since_ns_ = now_ns;
  if (!leaving && now_ns < *idle_since_ns_ + linger_ns()) return;
  // Told to leave with slaves at work: they elect another master, who goes on with the session.
  if (!(leaving && master_->has_slaves()) && !master_->end(now_ns)) return;
  master_.reset();
  spool_.remove();
  known_.reset();
  idle_since_ns_.reset();
  leave_or_start_again(now_ns);
}

// --- events

void Role::append(const EventHeader& header, std::string_view payload, uint64_t now_ns) {
  if (header.kind == EventKind::kConnOpen) ++connections_;
  if (header.kind == EventKind::kConnClose && connections_ > 0) --connections_;
  if (header.lane < given_.size()) given_[header.lane] = header.pos;
  if (stored_.holds(header)) {
    if (header.lane < safe_.size()) safe_[header.lane] = std::max(safe_[header.lane], header.pos);
    return;
  }
  if (master_ && master_->takes_events() && flow_.all_committed()) {
    losses_.emit_before(header, [this, now_ns](const EventHeader& gap) { master_->append(gap, {}, now_ns); });
    master_->append(header, payload, now_ns);
  } else {
    if (flow_.all_committed()) progress_ns_ = now_ns;
    keep(header, payload);
  }
  if (!started_) {
    started_ = true;
    // Whoever looks for what was left of this SID finds this ring, from now on.
    if (auto noted = around_.journal.note(sid_, {}); !noted) complain(noted.error());
    follow(election_.start(), now_ns);
  }
}

// --- turns

bool Role::has_sent_all() const {
  return connections_ == 0 && losses_.empty() && !flow_.is_spooling() && flow_.unsent_bytes() == 0;
}

bool Role::is_idle() const { return connections_ == 0 && flow_.all_committed() && losses_.empty(); }

void Role::turn(uint64_t now_ns, Needs needs) {
  if (done_) return;
  needs_ = needs;
  if (slave_) turn_slave(now_ns);
  if (master_) turn_master(now_ns, needs.end);
  if (done_) return;
  if (const auto deadline = election_.deadline_ns(); deadline && now_ns >= *deadline) {
    const bool unanswered = election_.step() == Step::kSendHello;
    if (unanswered) flow_.on_master_lost();
    follow(election_.on_timer(now_ns), now_ns);
  }
  if (!master_) spool(now_ns);
  if (!master_ && !slave_ && is_idle() && !session_is_orphaned()) done_ = true;
}

std::optional<uint64_t> Role::deadline_ns(uint64_t now_ns) const {
  if (master_ && master_->takes_events() && !flow_.all_committed()) return now_ns;  // just raised: hand over at once
  std::optional<uint64_t> soonest = election_.deadline_ns();
  if (slave_) sooner(soonest, flow_.deadline_ns());
  if (master_) sooner(soonest, master_->deadline_ns(now_ns));
  if (idle_since_ns_) sooner(soonest, *idle_since_ns_ + linger_ns());
  sooner(soonest, spool_deadline_ns(now_ns));
  return soonest;
}

bool Role::is_quiet() const {
  if (done_ || !flow_.all_committed() || !losses_.empty() || spool_.bytes() > 0) return false;
  if (master_) return master_->is_quiet();
  return slave_ && slave_->is_quiet() && connections_ > 0;
}

bool Role::is_in_flow() const {
  return master_ ? master_->is_in_flow() : slave_ && flow_.is_spooling() && !flow_.is_waiting();
}

}  // namespace sidrec
