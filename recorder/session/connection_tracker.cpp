#include "recorder/session/connection_tracker.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "recorder/base/clock.h"

namespace sidrec {
namespace {

// The first answer may come before the host's own close has happened, which follows its record at once.
constexpr uint64_t kFirstPauseNs = 5 * kMillisecond;
constexpr uint64_t kLongestPauseNs = 250 * kMillisecond;

template <typename T>
T payload_of(const RingRecord& record) {
  T value{};
  std::memcpy(&value, record.payload.data(), std::min(sizeof value, record.payload.size()));
  return value;
}

template <size_t N>
void copy_text(char (&to)[N], std::string_view from) {
  std::memcpy(to, from.data(), std::min(from.size(), N - 1));
}

EventHeader header_of(const RingRecord& record, EventKind kind) {
  EventHeader header{};
  header.kind = kind;
  header.time_ns = record.header.time_ns;
  header.conn = record.header.conn;
  header.lane = record.lane;
  header.pos = record.pos;
  return header;
}

EventHeader span_of(const RingRecord& record, EventKind kind, uint64_t off, uint64_t len) {
  EventHeader header = header_of(record, kind);
  header.dir = record.header.dir == ring::kIn ? Direction::kIn : Direction::kOut;
  header.off = off;
  header.len = len;
  return header;
}

GapWhy gap_why(uint8_t why) {
  const bool known = why >= ring::kOverflow && why <= ring::kFault;
  return known ? static_cast<GapWhy>(why) : GapWhy::kFault;
}

// The kernel counts a FIN as a byte, and cannot always say whether it did.
uint8_t kernel_known(uint8_t certainty, uint64_t kernel, uint64_t ours) {
  if (certainty == 2) return kernel != ours + 1;
  return certainty == 1;
}

}  // namespace

ConnectionTracker::ConnectionTracker(SidTemplate sid_template, Host host, Sink& sink, StillHeld still_held)
    : sid_template_(std::move(sid_template)), host_(std::move(host)), sink_(sink), still_held_(std::move(still_held)) {}

OwnerId ConnectionTracker::take(const RingRecord& in_ring) {
  RingRecord record = in_ring;
  // A write has happened when it began, but nothing of this ring goes back behind what has been told already.
  record.header.time_ns -= std::min<uint64_t>(record.header.age_ns, ring::kMaxAgeNs);
  last_ns_ = record.header.time_ns = std::max(record.header.time_ns, last_ns_);
  switch (record.header.kind) {
    case ring::kOpen: return on_open(record);
    case ring::kData: return on_data(record);
    case ring::kGap: return on_gap(record);
    case ring::kRelease: return on_release(record);
    case ring::kFork: on_fork(record.header.pid); return kNobody;
    default: break;
  }
  const auto at = connections_.find(record.header.conn);
  if (at == connections_.end()) return kNobody;
  if (record.header.kind == ring::kHold) hold(at->second, record.header.pid);
  if (record.header.kind == ring::kShared) at->second.maybe_elsewhere = true;
  return kNobody;
}

void ConnectionTracker::hold(Connection& connection, uint32_t pid) {
  for (Holder& holder : connection.holders) {
    if (holder.pid == pid) {
      ++holder.descriptors;
      return;
    }
  }
  connection.holders.push_back({pid, 1});
}

void ConnectionTracker::on_fork(uint32_t pid) {
  for (auto& [conn, connection] : connections_) {
    const auto& holders = connection.holders;
    const bool held = std::any_of(holders.begin(), holders.end(), [pid](const Holder& h) { return h.pid == pid; });
    // A child that forks again holds what nobody counted.
    connection.maybe_elsewhere = connection.maybe_elsewhere || held || pid != host_.pid;
  }
}

ConnectionTracker::Connection& ConnectionTracker::open(uint64_t conn, const ConnOpen& facts, const RingRecord& record,
                                                       uint64_t pos) {
  Connection& connection = connections_[conn];
  connection.open = facts;
  connection.open.pid = record.header.pid;
  copy_text(connection.open.program, host_.program);
  copy_text(connection.open.sid_source, host_.sid_source);
  connection.owner = sink_.owner_of(sid_template_.resolve(connection.open));
  EventHeader header = header_of(record, EventKind::kConnOpen);
  header.pos = pos;
  sink_.event(connection.owner, header, {reinterpret_cast<const char*>(&connection.open), sizeof connection.open});
  return connection;
}

OwnerId ConnectionTracker::on_open(const RingRecord& record) {
  if (const auto at = connections_.find(record.header.conn); at != connections_.end()) {
    hold(at->second, record.header.pid);
    at->second.gone = false;  // whatever the kernel said before this
    return kNobody;
  }
  const auto said = payload_of<ring::Open>(record);
  ConnOpen facts{};
  facts.family = said.family;
  facts.via = said.via <= ring::kPassed ? static_cast<Via>(said.via) : Via::kUnknown;
  facts.client_port = said.client_port;
  facts.server_port = said.server_port;
  std::memcpy(facts.client_addr, said.client_addr, sizeof facts.client_addr);
  std::memcpy(facts.server_addr, said.server_addr, sizeof facts.server_addr);
  Connection& connection = open(record.header.conn, facts, record, record.pos);
  hold(connection, record.header.pid);
  return connection.owner;
}

// The record's connection; one whose Open was lost is opened here.
ConnectionTracker::Connection& ConnectionTracker::known(const RingRecord& record) {
  if (const auto at = connections_.find(record.header.conn); at != connections_.end()) return at->second;
  ConnOpen facts{};
  facts.via = Via::kUnknown;
  Connection& connection = open(record.header.conn, facts, record, record.pos - 1);
  hold(connection, record.header.pid);
  return connection;
}

OwnerId ConnectionTracker::on_data(const RingRecord& record) {
  Connection& connection = known(record);
  uint64_t& offset = connection.offset[record.header.dir];
  EventHeader header = span_of(record, EventKind::kData, offset, record.payload.size());
  header.records = 1;
  offset += header.len;
  sink_.event(connection.owner, header, record.payload);
  return connection.owner;
}

OwnerId ConnectionTracker::on_gap(const RingRecord& record) {
  const auto said = payload_of<ring::Gap>(record);
  if (said.bytes == 0) return kNobody;
  Connection& connection = known(record);
  uint64_t& offset = connection.offset[record.header.dir];
  EventHeader header = span_of(record, EventKind::kGap, offset, said.bytes);
  header.why = static_cast<uint8_t>(gap_why(record.header.why));
  header.records = std::max<uint64_t>(said.records, 1);
  offset += said.bytes;
  connection.missing[record.header.dir] += said.bytes;
  const OwnerId owner = connection.owner;
  sink_.event(owner, header, {});
  if (gap_why(record.header.why) == GapWhy::kOverflow) suspect_all(record.header.time_ns);
  return owner;
}

OwnerId ConnectionTracker::on_release(const RingRecord& record) {
  const auto at = connections_.find(record.header.conn);
  if (at == connections_.end()) return kNobody;
  Connection& connection = at->second;
  connection.released = true;
  connection.last = payload_of<ring::Release>(record);
  connection.why = record.header.why;
  auto& holders = connection.holders;
  const auto holder =
      std::find_if(holders.begin(), holders.end(), [&record](const Holder& h) { return h.pid == record.header.pid; });
  if (holder != holders.end() && --holder->descriptors == 0) holders.erase(holder);
  if (!holders.empty()) return kNobody;
  if (connection.maybe_elsewhere) {
    ask_later(connection, record.header.time_ns, 0);
    return kNobody;
  }
  const OwnerId owner = connection.owner;
  close(at, header_of(record, EventKind::kConnClose));
  return owner;
}

void ConnectionTracker::ask_later(Connection& connection, uint64_t now_ns, uint64_t pause_ns) {
  if (connection.ask_again_ns == 0) ++asking_;
  connection.ask_pause_ns = pause_ns;
  connection.ask_again_ns = now_ns + pause_ns;
}

// The kernel speaks of now, the ring of a moment ago: what the last holder wrote may not have been read yet. So a
// connection that nobody holds is closed one pause later, when the ring has been read beyond that answer.
void ConnectionTracker::ask(Connections::iterator at, uint64_t now_ns) {
  Connection& connection = at->second;
  if (connection.gone) {
    const bool exited = connection.why == ring::kExited;
    close_without_record(at, exited ? CloseWhy::kExited : CloseWhy::kClosed, now_ns);
    return;
  }
  connection.gone = !still_held_(at->first, connection.open);
  if (!connection.gone && !connection.holders.empty()) {  // a suspicion that was wrong
    connection.ask_again_ns = 0;
    --asking_;
    return;
  }
  const uint64_t longer_ns = std::min(std::max(connection.ask_pause_ns, kFirstPauseNs) * 4, kLongestPauseNs);
  ask_later(connection, now_ns, connection.gone ? kFirstPauseNs : longer_ns);
}

// Records were lost: any of these may have been released unheard.
void ConnectionTracker::suspect_all(uint64_t now_ns) {
  for (auto& [conn, connection] : connections_) {
    if (connection.ask_again_ns == 0) ask_later(connection, now_ns, kSilentNs);
  }
}

void ConnectionTracker::on_timer(uint64_t now_ns) {
  if (asking_ == 0) return;
  std::vector<uint64_t> due;
  for (const auto& [conn, connection] : connections_) {
    if (connection.ask_again_ns != 0 && connection.ask_again_ns <= now_ns) due.push_back(conn);
  }
  for (const uint64_t conn : due) ask(connections_.find(conn), now_ns);
}

std::optional<uint64_t> ConnectionTracker::deadline_ns() const {
  std::optional<uint64_t> soonest;
  if (asking_ == 0) return soonest;
  for (const auto& [conn, connection] : connections_) {
    if (connection.ask_again_ns != 0 && (!soonest || connection.ask_again_ns < *soonest)) {
      soonest = connection.ask_again_ns;
    }
  }
  return soonest;
}

void ConnectionTracker::close(Connections::iterator at, EventHeader header) {
  const Connection& connection = at->second;
  ConnClose facts{};
  facts.bytes_in = connection.offset[ring::kIn];
  facts.bytes_out = connection.offset[ring::kOut];
  facts.missing_in = connection.missing[ring::kIn];
  facts.missing_out = connection.missing[ring::kOut];
  facts.kernel_bytes_in = connection.last.kernel_in;
  facts.kernel_bytes_out = connection.last.kernel_out;
  facts.kernel_in_known = kernel_known(connection.last.in_known, facts.kernel_bytes_in, facts.bytes_in);
  facts.kernel_out_known = kernel_known(connection.last.out_known, facts.kernel_bytes_out, facts.bytes_out);
  if (header.lane != kNoLane) {
    header.why = static_cast<uint8_t>(connection.why == ring::kExited ? CloseWhy::kExited : CloseWhy::kClosed);
  }
  const OwnerId owner = connection.owner;
  if (connection.ask_again_ns != 0) --asking_;
  connections_.erase(at);
  sink_.event(owner, header, {reinterpret_cast<const char*>(&facts), sizeof facts});
}

void ConnectionTracker::close_without_record(Connections::iterator at, CloseWhy why, uint64_t now_ns) {
  EventHeader header{};
  header.kind = EventKind::kConnClose;
  header.why = static_cast<uint8_t>(why);
  last_ns_ = header.time_ns = std::max(now_ns, last_ns_);
  header.conn = header.pos = at->first;
  header.lane = kNoLane;
  close(at, header);
}

void ConnectionTracker::host_died(uint64_t now_ns) {
  std::vector<uint64_t> left;
  for (const auto& [conn, connection] : connections_) left.push_back(conn);
  std::sort(left.begin(), left.end());
  for (const uint64_t conn : left) {
    const auto at = connections_.find(conn);
    const bool released = at->second.released && at->second.holders.empty();
    close_without_record(at, released ? CloseWhy::kExited : CloseWhy::kHostDied, now_ns);
  }
}

}  // namespace sidrec
