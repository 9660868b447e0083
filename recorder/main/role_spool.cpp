// What a role keeps until there is a master who takes it: in its flow, and in its spool (docs/decisions/0014).
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recorder/main/role.h"

namespace sidrec {
namespace {

// So long the master, or the election of one, may stand still before its SID makes room for others: more than a master
// holds events back for their order, far less than the host's patience.
constexpr uint64_t kStallNs = 30 * kMillisecond;
// A master that is only slower than our host has committed something within this time: then the host waits for room, at
// the master's pace. Half of its patience.
constexpr uint64_t kStandstillNs = 250 * kMillisecond;
// Taken back from it at once when the master takes it.
constexpr size_t kRefillBytes = 256 * 1024;

}  // namespace

void Role::append_to_flow(const EventHeader& header, std::string_view payload) {
  if (flow_.is_spooling()) behind_ += event_bytes(payload.size());
  flow_.append(header, payload);
}

void Role::keep(const EventHeader& header, std::string_view payload) {
  const bool has_bytes = header.kind == EventKind::kData || header.kind == EventKind::kGap;
  if (losing_ && has_bytes) {
    losses_.take(header);
    return;
  }
  losses_.emit_before(header, [this](const EventHeader& gap) { append_to_flow(gap, {}); });
  append_to_flow(header, payload);
}

bool Role::is_stalled(uint64_t now_ns) const { return now_ns >= progress_ns_ + kStallNs; }

bool Role::must_lose(uint64_t now_ns) const { return is_full() && now_ns >= progress_ns_ + kStandstillNs; }

bool Role::must_spool(uint64_t now_ns) const {
  if (!needs_.room || master_ || spool_broken_ || around_.settings.spool_bytes == 0) return false;
  if (is_full() && !must_lose(now_ns)) return false;
  if (flow_.is_spooling()) return behind_ > 0;
  return flow_.uncommitted_bytes() > 0 && (needs_.soon || flow_.is_waiting() || is_stalled(now_ns));
}

void Role::spool(uint64_t now_ns) {
  if (losing_ && (!flow_.is_spooling() || spool_.bytes() < around_.settings.spool_bytes / 2)) losing_ = false;
  if (must_spool(now_ns)) {
    if (!put_in_spool()) return;
    losing_ = must_lose(now_ns);
  } else if (!losing_ || behind_ > 0) {
    return;
  }
  spooled_ = given_;
  for (uint32_t lane = 0; lane < around_.ring.lanes; ++lane) safe_[lane] = std::max(safe_[lane], spooled_[lane]);
}

// What was sent and not answered for goes too, the first time: all that makes room in the ring is in the file.
bool Role::put_in_spool() {
  const bool first = !flow_.is_spooling();
  const uint64_t there_already = first ? spool_.bytes() : 0;  // of a spooling before, read and not yet committed
  const std::vector<std::string> unsent = flow_.take_unsent();
  std::vector<std::string_view> events;
  if (first) events = flow_.sent_events();
  const uint64_t sent_bytes = flow_.uncommitted_bytes();
  events.insert(events.end(), unsent.begin(), unsent.end());
  behind_ = 0;
  if (const auto put = spool_.append(events, there_already); !put) {
    around_.log.error(put.error().message + "; its session has no spool");
    spool_broken_ = true;
    for (const std::string& piece : unsent) {
      for_each_event(piece, [this](const EventHeader& header, auto payload) { append_to_flow(header, payload); });
    }
    if (spool_.unread_bytes() == 0) end_spooling();
    return false;
  }
  if (first) spool_.read_from(sent_bytes);
  return true;
}

// What is behind the spool has its turn.
void Role::end_spooling() {
  (void)flow_.prepend({}, true);
  behind_ = 0;
}

bool Role::has_written_spool() const {
  for (uint32_t lane = 0; lane < around_.ring.lanes; ++lane) {
    if (master_->committed(lane) < spooled_[lane]) return false;
  }
  return true;
}

// Something of the spool is always in front, so that the slave keeps asking for it; no more than a frame while it must
// wait, and never the last of it, or what was spooled would come back only to be spooled again.
void Role::refill_from_spool(uint64_t now_ns) {
  if (!flow_.is_spooling() || flow_.unsent_bytes() > behind_) return;
  const bool must_wait = flow_.is_waiting() || is_stalled(now_ns);
  if (must_wait && spool_.unread_bytes() == 0) return;
  auto events = spool_.read(must_wait ? link::kMaxFrameBytes : kRefillBytes);
  const bool last = !must_wait && spool_.unread_bytes() == 0;
  if (auto put = events ? flow_.prepend(std::move(*events), last) : events.error(); !put) {
    around_.log.error(put.error().message);
    spool_.remove();
    end_spooling();
  }
  if (!flow_.is_spooling()) behind_ = 0;
}

void Role::hand_to_master(std::string_view events, uint64_t now_ns) {
  for_each_event(events, [&](const EventHeader& header, auto payload) { master_->append(header, payload, now_ns); });
}

// What was kept for a master, in the order in which it happened.
void Role::hand_over_everything(uint64_t now_ns) {
  flow_.on_master_lost();
  hand_to_master(flow_.take_uncommitted(), now_ns);
  while (spool_.unread_bytes() > 0) {
    const auto events = spool_.read(kRefillBytes);
    if (!events) {
      around_.log.error(events.error().message);
      spool_.remove();
      break;
    }
    hand_to_master(*events, now_ns);
  }
  if (flow_.is_spooling()) {
    for (const std::string& piece : flow_.take_unsent()) hand_to_master(piece, now_ns);
    end_spooling();
  }
  losing_ = false;
}

std::optional<uint64_t> Role::spool_deadline_ns(uint64_t now_ns) const {
  if (!needs_.room || master_) return std::nullopt;
  if (!is_stalled(now_ns)) return progress_ns_ + kStallNs;
  if (is_full() && !must_lose(now_ns)) return progress_ns_ + kStandstillNs;
  return std::nullopt;
}

}  // namespace sidrec
