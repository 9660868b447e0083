#include "recorder/main/master_session.h"

#include <algorithm>
#include <utility>

#include "recorder/base/sid_path.h"

namespace sidrec {

MasterSession::MasterSession(Surroundings& around, std::string sid, std::optional<SessionIdentity> known,
                             uint64_t first_ns, uint64_t now_ns)
    : around_(around), sid_(std::move(sid)), first_ns_(first_ns) {
  const auto unfinished = Trail::find_unfinished(around_.ring.audit_dir, sid_);
  if (!unfinished) {
    begin(now_ns);
    return;
  }
  state_ = State::kDeciding;
  unfinished_ = unfinished->session;
  was_over_ = unfinished->quiet_ns > around_.settings.linger_ms * kMillisecond;
  decide_ns_ = now_ns + around_.settings.linger_ms * kMillisecond;
  on_known(known, now_ns);
}

void MasterSession::begin(uint64_t now_ns) {
  state_ = State::kClosed;
  was_over_ = false;
  identity_ = {new_session_id(clock_ns(CLOCK_REALTIME) / kMillisecond), wall_clock_offset_ns(), 1};
  trail_ = std::make_unique<Trail>(around_.ring.audit_dir, sid_, around_.sealing.settings());
  if (auto begun = trail_->begin(identity_, around_.self, std::min(first_ns_, now_ns)); !begun) {
    if (begin_ns_ == 0) around_.log.error(begun.error().message);
    begin_ns_ = now_ns + kRetryNs;
    return;
  }
  state_ = State::kOpen;
}

bool MasterSession::resume(const SessionIdentity& identity, uint64_t now_ns) {
  trail_ = std::make_unique<Trail>(around_.ring.audit_dir, sid_, around_.sealing.settings());
  auto in_store = trail_->resume(identity, around_.self, now_ns);
  if (!in_store) {
    around_.log.error(in_store.error().message);
    return false;
  }
  identity_ = identity;
  identity_.epoch = trail_->epoch();
  for (const auto& [place, pos] : *in_store) {
    EventHeader mark{};
    mark.lane = place.second;
    mark.pos = pos;
    ledger_.of(place.first).admit(mark);
  }
  return true;
}

std::set<std::string> MasterSession::recorders_at_work() const {
  return identity_.epoch > 1 ? trail_->recorders_at_work() : std::set<std::string>{};
}

void MasterSession::on_known(const std::optional<SessionIdentity>& known, uint64_t now_ns) {
  if (state_ != State::kDeciding || !known || known->session != unfinished_) return;
  if (resume(*known, now_ns)) {
    state_ = State::kOpen;
  } else {
    begin(now_ns);
  }
}

// Nobody who is alive knows the session: it ends here.
void MasterSession::recover(uint64_t now_ns) {
  if (resume({unfinished_, wall_clock_offset_ns(), 0}, now_ns)) {
    Result<void> ended = trail_->close_left_open(now_ns);
    if (ended) ended = trail_->end(now_ns, "recovered");
    if (!ended) around_.log.error(ended.error().message);
  }
  begin(now_ns);
}

void MasterSession::on_timer(uint64_t now_ns) {
  if (state_ == State::kDeciding && now_ns >= decide_ns_) recover(now_ns);
  if (state_ == State::kClosed && now_ns >= begin_ns_) begin(now_ns);
}

std::optional<uint64_t> MasterSession::deadline_ns() const {
  if (state_ == State::kDeciding) return decide_ns_;
  if (state_ == State::kClosed) return begin_ns_;
  if (retry_ns_ != 0) return retry_ns_;
  return state_ == State::kOpen ? trail_->deadline_ns() : std::nullopt;
}

void MasterSession::write(link::RecMarks& marks, std::string_view rec, const EventView& event, bool late,
                          uint64_t now_ns) {
  dirty_ = true;  // also what is in the store already must be acknowledged
  if (!marks.admit(*event.header)) return;
  trail_->append(rec, event, late);
  if (trail_->pending_bytes() > kCommitBytes && !is_failing()) commit_now(now_ns);
}

bool MasterSession::commit_now(uint64_t now_ns) {
  if (auto committed = trail_->commit(now_ns); !committed) {
    if (!is_failing()) around_.log.error(committed.error().message + "; trying again");
    retry_ns_ = now_ns + kRetryNs;
    return false;
  }
  if (trail_->is_full()) {
    if (!is_failing()) around_.log.error(trail_->file() + ": no disk space is left but its reserve; waiting for more");
    retry_ns_ = now_ns + kRetryNs;
    return true;
  }
  if (is_failing()) around_.log.warn(trail_->file() + " can be written again");
  retry_ns_ = 0;
  return true;
}

bool MasterSession::commit(uint64_t now_ns) {
  const auto due_ns = trail_->deadline_ns();
  dirty_ = dirty_ || (due_ns && now_ns >= *due_ns);
  const bool must = dirty_ || is_failing();
  if (!must || now_ns < retry_ns_ || !commit_now(now_ns)) return false;
  return std::exchange(dirty_, false);
}

bool MasterSession::end(uint64_t now_ns) {
  if (state_ != State::kOpen) return true;
  if (now_ns < retry_ns_) return false;
  if (auto ended = trail_->end(now_ns, "ended"); !ended) {
    if (!is_failing()) around_.log.error(ended.error().message + "; trying again");
    retry_ns_ = now_ns + kRetryNs;
    return false;
  }
  state_ = State::kEnded;
  return true;
}

}  // namespace sidrec
