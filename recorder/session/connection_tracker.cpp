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

// Between the ends of two records no record ends: room for the open that must be invented, and for events that are not
// their record's last. A record's end is a multiple of 8, so a mark on one of these is rounded down to the record
// before.
constexpr size_t kMostPieces = 6;
// Of what no record caused, positions are the connection's or channel's, and this apart.
constexpr uint64_t kLanelessStep = uint64_t{1} << 48;
constexpr size_t kMostLaneless = 0x7fff;

uint64_t start_of(const RingRecord& record) { return record.pos - ring::record_bytes(record.payload.size()); }

template <typename T>
T payload_of(const RingRecord& record) {
  T value{};
  std::memcpy(&value, record.payload.data(), std::min(sizeof value, record.payload.size()));
  return value;
}

CloseWhy close_why(uint8_t why) { return why == ring::kExited ? CloseWhy::kExited : CloseWhy::kClosed; }

template <size_t N>
void copy_text(char (&to)[N], std::string_view from) {
  std::memcpy(to, from.data(), std::min(from.size(), N - 1));
}

EventHeader header_of(const RingRecord& record, EventKind kind) {
  EventHeader header{};
  header.kind = kind;
  header.time_ns = record.header.time_ns;
  header.conn = record.header.subject;
  header.lane = record.lane;
  header.pos = record.pos;
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

ConnectionTracker::ConnectionTracker(SidTemplate sid_template, Host host, Sink& sink, StillHeld still_held, Fold fold)
    : sid_template_(std::move(sid_template)),
      fold_(fold),
      host_(std::move(host)),
      sink_(sink),
      still_held_(std::move(still_held)) {}

void ConnectionTracker::restore(OwnerId owner, const OpenConnection& told, uint64_t now_ns) {
  const auto flow_of = [](const OpenFlow& from, Flow& flow) {
    std::copy(from.offset.begin(), from.offset.end(), flow.offset);
    std::copy(from.missing.begin(), from.missing.end(), flow.missing);
  };
  Connection& connection = connections_[told.conn];
  connection.owner = owner;
  connection.open = told.facts;
  connection.opened_ns = now_ns;
  connection.user = told.user;
  connection.uid_told = told.uid_told;
  flow_of(told.flow, connection.flow);
  for (const auto& [chan, channel] : told.channels) {
    flow_of(channel.flow, connection.channels[chan]);
    conn_of_channel_[chan | ring::kChannelBit] = told.conn;
  }
  hold(connection, told.facts.pid);
  connection.maybe_elsewhere = true;
  ask_later(connection, now_ns, kSilentNs);
}

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
    case ring::kSeen:
    case ring::kMasked: return on_count(record);
    case ring::kChanOpen: return on_chan_open(record);
    case ring::kChanClose: return on_chan_close(record);
    case ring::kIdentity: return on_identity(record);
    case ring::kResize: return on_resize(record);
    default: break;
  }
  const auto at = connections_.find(record.header.subject);
  if (at == connections_.end()) return kNobody;
  if (record.header.kind == ring::kHold) hold(at->second, record.header.pid);
  if (record.header.kind == ring::kShared) at->second.maybe_elsewhere = true;
  if (record.header.kind == ring::kCutOff) at->second.cut = true;
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
  connection.opened_ns = record.header.time_ns;
  connection.flow.folding = folding_for(false, fold_ == Fold::kAll && facts.counted == 0);
  const bool needs_user = sid_template_.needs_user() && connection.open.counted != 0;
  if (needs_user || !waiting_.empty()) {
    connection.owner = sink_.owner_unknown();
    unknown_[connection.owner];
    ++nameless_;
    if (!needs_user) settle(connection);
  } else {
    connection.owner = sink_.owner_of(sid_template_.resolve(connection.open));
  }
  EventHeader header = header_of(record, EventKind::kConnOpen);
  header.pos = pos;
  emit(connection.owner, header, view_of(connection.open));
  return connection;
}

// --- who waits for a login

OwnerId ConnectionTracker::emit(OwnerId owner, const EventHeader& header, std::string_view payload) {
  if (waiting_.empty() && !unknown_.contains(owner)) {
    sink_.event(owner, header, payload);
    return owner;
  }
  waiting_.push_back({owner, {}});
  append_event(waiting_.back().event, header, payload);
  waiting_bytes_ += waiting_.back().event.size();
  release_waiting();
  return owner;
}

bool ConnectionTracker::is_nameless(const Connection& connection) const {
  const auto unknown = unknown_.find(connection.owner);
  return unknown != unknown_.end() && !unknown->second;
}

// The connection's SID is known now, or will never be.
void ConnectionTracker::settle(Connection& connection) {
  if (!is_nameless(connection)) return;
  unknown_[connection.owner] = sid_template_.resolve(connection.open, connection.user);
  --nameless_;
}

void ConnectionTracker::release_waiting() {
  while (!waiting_.empty()) {
    const Waiting& front = waiting_.front();
    if (const auto unknown = unknown_.find(front.owner); unknown != unknown_.end()) {
      if (!unknown->second) return;
      sink_.settle(front.owner, *unknown->second);
      unknown_.erase(unknown);
    }
    const EventView event = parse_event(front.event)->event;
    sink_.event(front.owner, *event.header, event.payload);
    waiting_bytes_ -= front.event.size();
    waiting_.pop_front();
  }
}

// --- what records concern

// The connection or channel of a record; a connection whose Open was lost is opened here, a channel without its
// ChanOpen is not: nothing says whose it would be.
std::optional<ConnectionTracker::Subject> ConnectionTracker::subject_of(const RingRecord& record) {
  const uint64_t subject = record.header.subject;
  if ((subject & ring::kChannelBit) == 0) {
    Connection& connection = known(record);
    return Subject{connection, subject, 0, connection.flow};
  }
  const auto conn = conn_of_channel_.find(subject);
  if (conn == conn_of_channel_.end()) return std::nullopt;
  Connection& connection = connections_.at(conn->second);
  const uint64_t chan = subject & ~ring::kChannelBit;
  return Subject{connection, conn->second, chan, connection.channels[chan]};
}

OwnerId ConnectionTracker::emit_span(const RingRecord& record, EventKind kind, uint64_t bytes,
                                     std::string_view payload) {
  const auto subject = subject_of(record);
  if (!subject) return kNobody;
  if (subject->flow.folding && kind == EventKind::kData) return fold(*subject, record);
  EventHeader header = header_of(record, kind);
  end_folding(*subject, header.time_ns);
  header.conn = subject->conn;
  header.chan = subject->chan;
  header.dir = static_cast<Direction>(record.header.dir);
  header.off = subject->flow.offset[record.header.dir];
  header.len = bytes;
  header.records = 1;
  if (kind == EventKind::kGap) {
    header.why = static_cast<uint8_t>(gap_why(record.header.why));
    header.records = std::max<uint64_t>(payload_of<ring::Gap>(record).records, 1);
    subject->flow.missing[record.header.dir] += bytes;
  }
  subject->flow.offset[record.header.dir] += bytes;
  return emit(subject->connection.owner, header, payload);
}

// --- what is kept in short

std::unique_ptr<fold::Folding> ConnectionTracker::folding_for(bool speaks_ssh, bool may_be_transfer) const {
  if (fold_ == Fold::kNone || !may_be_transfer) return nullptr;
  using What = fold::Folding::What;
  return std::make_unique<fold::Folding>(fold_ == Fold::kAll ? What::kAll : What::kTransfers, speaks_ssh);
}

OwnerId ConnectionTracker::fold(const Subject& subject, const RingRecord& record) {
  Flow& flow = subject.flow;
  const auto dir = static_cast<Direction>(record.header.dir);
  auto folded = flow.folding->take(dir, flow.offset[record.header.dir], record.payload);
  flow.offset[record.header.dir] += record.payload.size();
  if (flow.folding->is_idle()) flow.folding.reset();
  EventHeader base = header_of(record, EventKind::kData);
  base.pos = start_of(record) + 1;
  return emit_folded(subject, base, std::move(folded), record.pos) ? subject.connection.owner : kNobody;
}

// Lets go of all that is held back, before what has interrupted or ended the stream. No record caused these events.
void ConnectionTracker::end_folding(const Subject& subject, uint64_t time_ns) {
  Flow& flow = subject.flow;
  if (!flow.folding && flow.transfers_to_tell.empty()) return;
  EventHeader base{};
  base.time_ns = time_ns;
  base.lane = kNoLane;
  base.pos = subject.chan != 0 ? subject.chan : subject.conn;
  const auto folding = std::move(flow.folding);
  emit_folded(subject, base, folding ? folding->end() : fold::Folded{}, 0);
}

// Pieces first, then what was transferred. Behind `base.pos` there is room for few events of one record; transfers that
// find none wait for the next. `last_pos`: the last event's, 0 for none.
bool ConnectionTracker::emit_folded(const Subject& subject, EventHeader base, fold::Folded folded, uint64_t last_pos) {
  base.conn = subject.conn;
  base.chan = subject.chan;
  auto& transfers = subject.flow.transfers_to_tell;
  for (auto& transfer : folded.transfers) transfers.push_back(std::move(transfer));
  const bool has_lane = base.lane != kNoLane;
  const size_t most = has_lane ? kMostPieces : kMostLaneless;
  const size_t pieces = folded.pieces.size();
  const size_t events = std::min(most, pieces + transfers.size());
  const uint64_t step = has_lane ? 1 : kLanelessStep;
  for (size_t i = 0; i < events; ++i) {
    EventHeader header = base;
    header.pos = i + 1 == events && last_pos != 0 ? last_pos : base.pos + (i + 1) * step;
    if (i < pieces) {
      emit_piece(subject, header, folded.pieces[i]);
    } else {
      emit_transfer(subject, header, transfers[i - pieces]);
    }
  }
  if (events > pieces) transfers.erase(transfers.begin(), transfers.begin() + static_cast<ptrdiff_t>(events - pieces));
  return events > 0;
}

void ConnectionTracker::emit_piece(const Subject& subject, EventHeader header, const fold::Piece& piece) {
  header.kind = piece.bytes.empty() ? EventKind::kFolded : EventKind::kData;
  header.dir = piece.dir;
  header.off = piece.off;
  header.len = piece.len;
  header.records = 1;
  emit(subject.connection.owner, header, piece.bytes);
}

void ConnectionTracker::emit_transfer(const Subject& subject, EventHeader header, const fold::TransferFacts& transfer) {
  header.kind = EventKind::kTransfer;
  header.dir = transfer.dir;
  Transfer facts{};
  facts.bytes = transfer.bytes;
  facts.size = transfer.size.value_or(0);
  facts.size_known = transfer.size.has_value();
  facts.sequential = transfer.sequential;
  facts.finished = transfer.finished;
  facts.protocol = transfer.protocol;
  std::copy(transfer.sha256.begin(), transfer.sha256.end(), facts.sha256);
  std::string payload(view_of(facts));
  payload.append(transfer.name, 0, kMaxTransferName);
  emit(subject.connection.owner, header, payload);
}

OwnerId ConnectionTracker::on_count(const RingRecord& record) {
  const uint64_t bytes = payload_of<ring::Seen>(record).bytes;
  if (bytes == 0) return kNobody;
  if (record.header.kind == ring::kMasked) return emit_span(record, EventKind::kMasked, bytes, {});
  if (const auto subject = subject_of(record)) subject->flow.offset[record.header.dir] += bytes;
  return kNobody;
}

OwnerId ConnectionTracker::on_chan_open(const RingRecord& record) {
  const auto said = payload_of<ring::ChanOpen>(record);
  const auto at = connections_.find(said.conn);
  const bool is_channel = (record.header.subject & ring::kChannelBit) != 0;
  if (at == connections_.end() || !is_channel || conn_of_channel_.contains(record.header.subject)) return kNobody;
  const uint64_t chan = record.header.subject & ~ring::kChannelBit;
  conn_of_channel_[record.header.subject] = said.conn;
  ChanOpen facts{};
  facts.kind = static_cast<ChanKind>(said.kind);
  const bool is_command = facts.kind == ChanKind::kExec;
  const bool may_be_transfer = is_command || (fold_ == Fold::kAll && facts.kind == ChanKind::kForward);
  at->second.channels[chan] = {};
  at->second.channels[chan].folding = folding_for(is_command, may_be_transfer);
  facts.via = static_cast<Via>(said.via);
  facts.family = said.family;
  facts.counted = said.counted;
  facts.peer_port = said.peer_port;
  std::memcpy(facts.peer_addr, said.peer_addr, sizeof facts.peer_addr);
  facts.tty = said.tty;
  facts.pid = record.header.pid;
  EventHeader header = header_of(record, EventKind::kChanOpen);
  header.conn = said.conn;
  header.chan = chan;
  return emit(at->second.owner, header, view_of(facts));
}

OwnerId ConnectionTracker::on_chan_close(const RingRecord& record) {
  if (!conn_of_channel_.contains(record.header.subject)) return kNobody;
  const auto subject = subject_of(record);
  EventHeader header = header_of(record, EventKind::kChanClose);
  header.conn = subject->conn;
  header.chan = subject->chan;
  header.why = static_cast<uint8_t>(close_why(record.header.why));
  end_folding(*subject, header.time_ns);
  ChanClose facts{};
  std::copy(std::begin(subject->flow.offset), std::end(subject->flow.offset), facts.bytes);
  Connection& connection = subject->connection;
  conn_of_channel_.erase(record.header.subject);
  connection.channels.erase(header.chan);
  return emit(connection.owner, header, view_of(facts));
}

// Comes once more when the uid is known; nothing else about it is news.
OwnerId ConnectionTracker::on_identity(const RingRecord& record) {
  const auto at = connections_.find(record.header.subject);
  if (at == connections_.end()) return kNobody;
  const auto said = payload_of<ring::Identity>(record);
  Identity facts{};
  facts.uid = said.uid;
  facts.uid_known = said.uid_known;
  facts.how = static_cast<IdentityHow>(said.how);
  copy_text(facts.user, std::string_view(said.user, strnlen(said.user, sizeof said.user)));
  Connection& connection = at->second;
  if (!connection.user.empty() && (connection.uid_told || facts.uid_known == 0)) return kNobody;
  if (connection.user.empty()) connection.user = facts.user;
  connection.uid_told = facts.uid_known != 0;
  settle(connection);
  return emit(connection.owner, header_of(record, EventKind::kIdentity), view_of(facts));
}

OwnerId ConnectionTracker::on_resize(const RingRecord& record) {
  if (!conn_of_channel_.contains(record.header.subject)) return kNobody;
  const auto subject = subject_of(record);
  const auto said = payload_of<ring::Resize>(record);
  const TerminalSize facts{said.rows, said.cols, 0};
  EventHeader header = header_of(record, EventKind::kResize);
  header.conn = subject->conn;
  header.chan = subject->chan;
  return emit(subject->connection.owner, header, view_of(facts));
}

// --- a connection's life

OwnerId ConnectionTracker::on_open(const RingRecord& record) {
  if (const auto at = connections_.find(record.header.subject); at != connections_.end()) {
    hold(at->second, record.header.pid);
    at->second.gone = false;  // whatever the kernel said before this
    return kNobody;
  }
  const auto said = payload_of<ring::Open>(record);
  ConnOpen facts{};
  facts.family = said.family;
  facts.via = said.via <= ring::kPassed ? static_cast<Via>(said.via) : Via::kUnknown;
  facts.counted = said.counted;
  facts.client_port = said.client_port;
  facts.server_port = said.server_port;
  std::memcpy(facts.client_addr, said.client_addr, sizeof facts.client_addr);
  std::memcpy(facts.server_addr, said.server_addr, sizeof facts.server_addr);
  Connection& connection = open(record.header.subject, facts, record, record.pos);
  hold(connection, record.header.pid);
  return connection.owner;
}

// The record's connection; one whose Open was lost is opened here.
ConnectionTracker::Connection& ConnectionTracker::known(const RingRecord& record) {
  if (const auto at = connections_.find(record.header.subject); at != connections_.end()) return at->second;
  ConnOpen facts{};
  facts.via = Via::kUnknown;
  Connection& connection = open(record.header.subject, facts, record, start_of(record) + 1);
  hold(connection, record.header.pid);
  return connection;
}

OwnerId ConnectionTracker::on_data(const RingRecord& record) {
  return emit_span(record, EventKind::kData, record.payload.size(), record.payload);
}

OwnerId ConnectionTracker::on_gap(const RingRecord& record) {
  const uint64_t bytes = payload_of<ring::Gap>(record).bytes;
  if (bytes == 0) return kNobody;
  const OwnerId owner = emit_span(record, EventKind::kGap, bytes, {});
  if (gap_why(record.header.why) == GapWhy::kOverflow) suspect_all(record.header.time_ns);
  return owner;
}

OwnerId ConnectionTracker::on_release(const RingRecord& record) {
  const auto at = connections_.find(record.header.subject);
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
    close_without_record(at, close_why(connection.why), now_ns);
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

// Of those that wait for a login, the ones that have waited long enough.
void ConnectionTracker::end_waiting(uint64_t now_ns) {
  if (nameless_ == 0) return;
  const bool too_much = waiting_bytes_ > kMaxWaitingBytes;
  for (auto& [conn, connection] : connections_) {
    if (too_much || now_ns >= connection.opened_ns + kUserPatienceNs) settle(connection);
  }
  release_waiting();
}

void ConnectionTracker::on_timer(uint64_t now_ns) {
  end_waiting(now_ns);
  if (asking_ == 0) return;
  std::vector<uint64_t> due;
  for (const auto& [conn, connection] : connections_) {
    if (connection.ask_again_ns != 0 && connection.ask_again_ns <= now_ns) due.push_back(conn);
  }
  for (const uint64_t conn : due) ask(connections_.find(conn), now_ns);
}

std::optional<uint64_t> ConnectionTracker::deadline_ns() const {
  std::optional<uint64_t> soonest;
  if (asking_ + nameless_ == 0) return soonest;
  for (const auto& [conn, connection] : connections_) {
    if (is_nameless(connection)) sooner(soonest, connection.opened_ns + kUserPatienceNs);
    if (connection.ask_again_ns != 0) sooner(soonest, connection.ask_again_ns);
  }
  return soonest;
}

// Channels that nobody closed end with their connection.
void ConnectionTracker::close_channels(Connections::iterator at, const EventHeader& closing) {
  for (auto& [chan, flow] : at->second.channels) {
    EventHeader header = closing;
    header.kind = EventKind::kChanClose;
    header.chan = header.pos = chan;
    header.lane = kNoLane;
    end_folding({at->second, at->first, chan, flow}, header.time_ns);
    ChanClose facts{};
    std::copy(std::begin(flow.offset), std::end(flow.offset), facts.bytes);
    conn_of_channel_.erase(chan | ring::kChannelBit);
    emit(at->second.owner, header, view_of(facts));
  }
  at->second.channels.clear();
}

void ConnectionTracker::close(Connections::iterator at, EventHeader header) {
  settle(at->second);
  close_channels(at, header);
  end_folding({at->second, at->first, 0, at->second.flow}, header.time_ns);
  const Connection& connection = at->second;
  ConnClose facts{};
  const Flow& flow = connection.flow;
  facts.bytes_in = flow.offset[ring::kIn];
  facts.bytes_out = flow.offset[ring::kOut];
  facts.missing_in = flow.missing[ring::kIn];
  facts.missing_out = flow.missing[ring::kOut];
  facts.kernel_bytes_in = connection.last.kernel_in;
  facts.kernel_bytes_out = connection.last.kernel_out;
  facts.kernel_in_known = kernel_known(connection.last.in_known, facts.kernel_bytes_in, facts.bytes_in);
  facts.kernel_out_known = kernel_known(connection.last.out_known, facts.kernel_bytes_out, facts.bytes_out);
  if (header.lane != kNoLane) {
    header.why = static_cast<uint8_t>(close_why(connection.why));
  }
  if (connection.cut) header.why = static_cast<uint8_t>(CloseWhy::kCut);
  const bool failed_login = connection.open.counted != 0 && connection.user.empty();
  if (failed_login) header.why = static_cast<uint8_t>(CloseWhy::kNotAuthenticated);
  const OwnerId owner = connection.owner;
  if (connection.ask_again_ns != 0) --asking_;
  connections_.erase(at);
  emit(owner, header, view_of(facts));
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
