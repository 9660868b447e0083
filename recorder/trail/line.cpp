#include "recorder/trail/line.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "recorder/base/sha256.h"
#include "recorder/trail/json_text.h"

namespace sidrec {

// A line, put together on the stack and appended in as few pieces as fit there.
class LineWriter::Fields {
 public:
  explicit Fields(std::string& out) : out_(out) {}
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;
  ~Fields() { flush(); }

  // A word of ours, of a size that the compiler knows.
  template <size_t N>
  [[gnu::always_inline]] Fields& word(const char (&text)[N]) {
    if (N > left()) flush();
    std::memcpy(at_, text, N - 1);
    at_ += N - 1;
    return *this;
  }
  Fields& word(std::string_view text) {
    if (text.size() > left()) flush();
    if (text.size() > left()) {
      out_.append(text);
    } else {
      text.copy(at_, text.size());
      at_ += text.size();
    }
    return *this;
  }
  Fields& number(uint64_t value, int base = 10) {
    if (left() < kMostDigits) flush();
    at_ = std::to_chars(at_, room_.data() + room_.size(), value, base).ptr;
    return *this;
  }
  Fields& number_or_null(uint64_t value, bool known) { return known ? number(value) : word("null"); }
  Fields& name(std::string_view name) {
    append_json_name(out(), name);
    return *this;
  }
  // For what appends by itself.
  std::string& out() {
    flush();
    return out_;
  }

 private:
  static constexpr size_t kRoom = 1024, kMostDigits = 20;

  size_t left() const { return static_cast<size_t>(room_.data() + room_.size() - at_); }
  void flush() {
    out_.append(room_.data(), static_cast<size_t>(at_ - room_.data()));
    at_ = room_.data();
  }

  std::string& out_;
  std::array<char, kRoom> room_;
  char* at_ = room_.data();
};

namespace {

std::string_view word_of(Direction dir) {
  return dir == Direction::kIn ? "in" : dir == Direction::kOut ? "out" : "err";
}

std::string_view true_or_false(bool is) { return is ? "true" : "false"; }

// "complete": true only if the kernel counted every byte that we hold, and we hold every byte that passed.
std::string_view completeness(const ConnClose& close) {
  const bool in_differs = close.kernel_in_known && close.kernel_bytes_in != close.bytes_in - close.missing_in;
  const bool out_differs = close.kernel_out_known && close.kernel_bytes_out != close.bytes_out - close.missing_out;
  if (close.missing_in != 0 || close.missing_out != 0 || in_differs || out_differs) return "false";
  return close.kernel_in_known && close.kernel_out_known ? "true" : "null";
}

}  // namespace

std::string_view word_of(GapWhy why) {
  switch (why) {
    case GapWhy::kOverflow: return "overflow";
    case GapWhy::kSplice: return "splice";
    case GapWhy::kSendfile: return "sendfile";
    case GapWhy::kDiscarded: return "discarded";
    case GapWhy::kNoRing: return "no-ring";
    case GapWhy::kFault: return "fault";
    case GapWhy::kSpoolFull: return "spool-full";
  }
  return "unknown";
}

std::string_view word_of(CloseWhy why) {
  switch (why) {
    case CloseWhy::kClosed: return "closed";
    case CloseWhy::kExited: return "host exited";
    case CloseWhy::kHostDied: return "host died";
    case CloseWhy::kNotAuthenticated: return "not authenticated";
    case CloseWhy::kRecovered: return "recovered";
    case CloseWhy::kCut: return "cut";
  }
  return "unknown";
}

std::string_view word_of(Via via) {
  switch (via) {
    case Via::kAccept: return "accept";
    case Via::kInherited: return "inherited";
    case Via::kPassed: return "passed";
    case Via::kUnknown: return "unknown";
    case Via::kConnect: return "connect";
  }
  return "unknown";
}

std::string_view word_of(ChanKind kind) {
  switch (kind) {
    case ChanKind::kPty: return "pty";
    case ChanKind::kExec: return "exec";
    case ChanKind::kForward: return "forward";
    case ChanKind::kAgent: return "agent";
    case ChanKind::kX11: return "x11";
  }
  return "unknown";
}

std::string_view word_of(IdentityHow how) {
  switch (how) {
    case IdentityHow::kSetresuid: return "setresuid";
    case IdentityHow::kPamSession: return "pam_open_session";
  }
  return "unknown";
}

std::string_view word_of(TransferProtocol protocol) {
  switch (protocol) {
    case TransferProtocol::kStream: return "stream";
    case TransferProtocol::kSftp: return "sftp";
    case TransferProtocol::kScp: return "scp";
  }
  return "unknown";
}

LineWriter::LineWriter(std::string_view sid, const SessionIdentity& identity)
    : clock_offset_ns_(identity.clock_offset_ns), session_fragment_("\",\"sid\":") {
  append_json_name(session_fragment_, sid);
  session_fragment_ += ",\"session\":";
  append_json_name(session_fragment_, identity.session);
  session_fragment_ += ",\"seq\":";
  epoch_fragment_ = ",\"epoch\":" + std::to_string(identity.epoch);
}

uint64_t LineWriter::wall_ns(uint64_t time_ns) const {
  constexpr auto kLatest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  int64_t wall = 0;
  if (time_ns > kLatest) return kLatest;
  if (__builtin_add_overflow(static_cast<int64_t>(time_ns), clock_offset_ns_, &wall)) return kLatest;
  return wall < 0 ? 0 : static_cast<uint64_t>(wall);
}

LineWriter::Fields& LineWriter::begin_line(Fields& line, std::string_view opening, uint64_t wall_ns, uint64_t seq) {
  std::array<char, kTimestampLength> ts;
  timestamp_.write(ts.data(), wall_ns);
  return line.word(opening).word({ts.data(), ts.size()}).word(session_fragment_).number(seq);
}

void LineWriter::end_line(Fields& line, bool late) { line.word(late ? ",\"late\":true}\n" : "}\n"); }

void LineWriter::origin(Fields& line, std::string_view rec, const EventHeader& header) {
  if (rec_fragment_.empty() || rec != rec_) {
    rec_ = rec;
    rec_fragment_ = epoch_fragment_ + ",\"rec\":";
    append_json_name(rec_fragment_, rec);
    rec_fragment_ += ",\"pos\":\"";
  }
  line.word(rec_fragment_);
  header.lane == kNoLane ? line.word("-") : line.number(header.lane);
  line.word(":").number(header.pos).word("\",\"conn\":\"c").number(header.conn, 16).word("\"");
  if (header.chan != 0) line.word(",\"chan\":\"").number(header.chan, 16).word("\"");
}

void LineWriter::address(Fields& line, std::string_view key, int family, const uint8_t* address, uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_ntop(family, address, text.data(), text.size()) == nullptr) return;
  line.word(",\"").word(key).word("_ip\":\"").word(text.data());
  line.word("\",\"").word(key).word("_port\":").number(port);
}

void LineWriter::event(std::string& out, uint64_t seq, std::string_view rec, const EventView& event, bool late) {
  static constexpr std::string_view kOpenings[] = {
      R"({"ev":"conn.open","ts":")",  R"({"ev":"data","ts":")",       R"({"ev":"gap","ts":")",
      R"({"ev":"conn.close","ts":")", R"({"ev":"chan.open","ts":")",  R"({"ev":"chan.close","ts":")",
      R"({"ev":"identity","ts":")",   R"({"ev":"tty.resize","ts":")", R"({"ev":"data","ts":")",
      R"({"ev":"data","ts":")",       R"({"ev":"transfer","ts":")"};
  Fields line(out);
  begin_line(line, kOpenings[static_cast<size_t>(event->kind) - 1], wall_ns(event->time_ns), seq);
  origin(line, rec, *event.header);
  switch (event->kind) {
    case EventKind::kConnOpen: conn_open(line, event); break;
    case EventKind::kData: data(line, event); break;
    case EventKind::kGap: gap(line, *event.header); break;
    case EventKind::kConnClose: conn_close(line, event); break;
    case EventKind::kChanOpen: chan_open(line, event); break;
    case EventKind::kChanClose: chan_close(line, event); break;
    case EventKind::kIdentity: identity(line, event); break;
    case EventKind::kResize: resize(line, event); break;
    case EventKind::kMasked:
    case EventKind::kFolded: left_out(line, *event.header); break;
    case EventKind::kTransfer: transfer(line, event); break;
  }
  end_line(line, late);
}

void LineWriter::conn_open(Fields& line, const EventView& event) {
  const ConnOpen open = conn_open_of(event);
  address(line, "client", open.family, open.client_addr, open.client_port);
  address(line, "server", open.family, open.server_addr, open.server_port);
  if (open.pid != 0) line.word(",\"pid\":").number(open.pid);
  if (open.program[0] != '\0') line.word(",\"program\":").name(open.program);
  if (open.sid_source[0] != '\0') line.word(",\"sid_source\":").name(open.sid_source);
  line.word(",\"via\":\"").word(word_of(open.via)).word("\"");
  if (open.counted != 0) line.word(",\"content\":\"counted\"");
}

void LineWriter::chan_open(Fields& line, const EventView& event) {
  const ChanOpen open = chan_open_of(event);
  line.word(",\"kind\":\"").word(word_of(open.kind)).word("\"");
  if (open.kind == ChanKind::kPty) line.word(",\"tty\":\"pts/").number(open.tty).word("\"");
  address(line, "peer", open.family, open.peer_addr, open.peer_port);
  if (open.kind == ChanKind::kForward) line.word(",\"via\":\"").word(word_of(open.via)).word("\"");
  if (open.pid != 0) line.word(",\"pid\":").number(open.pid);
  if (open.counted != 0) line.word(",\"content\":\"counted\"");
}

void LineWriter::chan_close(Fields& line, const EventView& event) {
  const ChanClose close = chan_close_of(event);
  line.word(",\"bytes_in\":").number(close.bytes[0]).word(",\"bytes_out\":").number(close.bytes[1]);
  line.word(",\"bytes_err\":").number(close.bytes[2]);
  line.word(",\"why\":\"").word(word_of(static_cast<CloseWhy>(event->why))).word("\"");
}

void LineWriter::identity(Fields& line, const EventView& event) {
  const Identity identity = identity_of(event);
  line.word(",\"user\":").name(identity.user);
  if (identity.uid_known != 0) line.word(",\"uid\":").number(identity.uid);
  line.word(",\"how\":\"").word(word_of(identity.how)).word("\"");
}

void LineWriter::resize(Fields& line, const EventView& event) {
  const TerminalSize size = terminal_size_of(event);
  line.word(",\"rows\":").number(size.rows).word(",\"cols\":").number(size.cols);
}

LineWriter::Fields& LineWriter::part(Fields& line, const EventHeader& header) {
  line.word(",\"dir\":\"").word(word_of(header.dir));
  return line.word("\",\"off\":").number(header.off).word(",\"len\":").number(header.len);
}

void LineWriter::left_out(Fields& line, const EventHeader& header) {
  part(line, header).word(header.kind == EventKind::kMasked ? ",\"masked\":" : ",\"folded\":").number(header.len);
}

void LineWriter::transfer(Fields& line, const EventView& event) {
  const Transfer transfer = transfer_of(event);
  line.word(",\"dir\":\"").word(word_of(event->dir));
  line.word("\",\"protocol\":\"").word(word_of(transfer.protocol)).word("\"");
  const std::string_view name = transfer_name_of(event);
  if (!name.empty()) line.word(",\"name\":").name(name);
  if (transfer.size_known != 0) line.word(",\"size\":").number(transfer.size);
  line.word(",\"len\":").number(transfer.bytes).word(",\"sha256\":\"").word(hex(std::to_array(transfer.sha256)));
  line.word("\",\"sequential\":").word(true_or_false(transfer.sequential != 0));
  line.word(",\"finished\":").word(true_or_false(transfer.finished != 0));
}

void LineWriter::data(Fields& line, const EventView& event) {
  constexpr std::string_view kText = ",\"text\":\"";
  std::string& out = part(line, *event.header).word(kText).out();
  if (!append_json_text(out, event.payload)) {
    out.resize(out.size() - kText.size());
    append_base64(line.word(",\"b64\":\"").out(), event.payload);
  }
  line.word("\"");
}

void LineWriter::gap(Fields& line, const EventHeader& header) {
  part(line, header).word(",\"records\":").number(header.records);
  line.word(",\"why\":\"").word(word_of(static_cast<GapWhy>(header.why))).word("\"");
}

void LineWriter::conn_close(Fields& line, const EventView& event) {
  const ConnClose close = conn_close_of(event);
  line.word(",\"bytes_in\":").number(close.bytes_in).word(",\"bytes_out\":").number(close.bytes_out);
  line.word(",\"kernel_bytes_in\":").number_or_null(close.kernel_bytes_in, close.kernel_in_known);
  line.word(",\"kernel_bytes_out\":").number_or_null(close.kernel_bytes_out, close.kernel_out_known);
  line.word(",\"complete\":").word(completeness(close));
  line.word(",\"why\":\"").word(word_of(static_cast<CloseWhy>(event->why))).word("\"");
}

void LineWriter::session_start(std::string& out, uint64_t seq, uint64_t time_ns, const MasterIdentity& master) {
  Fields line(out);
  begin_line(line, R"({"ev":"session.start","ts":")", wall_ns(time_ns), seq).word(epoch_fragment_);
  line.word(",\"rec\":").name(master.rec).word(",\"v\":").number(kTrailVersion);
  line.word(",\"host\":").name(master.host).word(",\"pid\":").number(master.pid);
  line.word(",\"program\":").name(master.program).word(",\"uid\":").number(master.uid);
  line.word(",\"installed\":").word(true_or_false(master.installed));
  end_line(line);
}

void LineWriter::master_change(std::string& out, uint64_t seq, uint64_t time_ns, std::string_view from,
                               std::string_view to, std::string_view why, uint64_t repaired_bytes) {
  Fields line(out);
  begin_line(line, R"({"ev":"master.change","ts":")", wall_ns(time_ns), seq).word(epoch_fragment_);
  line.word(",\"from\":").name(from).word(",\"to\":").name(to).word(",\"why\":").name(why);
  line.word(",\"repaired_bytes\":").number(repaired_bytes);
  end_line(line);
}

void LineWriter::session_end(std::string& out, uint64_t seq, uint64_t time_ns, const SessionTotals& totals,
                             uint64_t duration_ms, std::string_view why) {
  Fields line(out);
  begin_line(line, R"({"ev":"session.end","ts":")", wall_ns(time_ns), seq).word(epoch_fragment_);
  line.word(",\"connections\":").number(totals.connections);
  line.word(",\"bytes_in\":").number(totals.bytes_in).word(",\"bytes_out\":").number(totals.bytes_out);
  line.word(",\"records\":").number(totals.records).word(",\"gaps\":").number(totals.gaps);
  line.word(",\"duration_ms\":").number(duration_ms).word(",\"why\":").name(why);
  end_line(line);
}

LineWriter::Fields& LineWriter::store_line(Fields& line, std::string_view opening, uint64_t seq, uint64_t line_ns,
                                           uint64_t at_ns) {
  begin_line(line, opening, line_ns, seq).word(epoch_fragment_).word(R"(,"at":")");
  std::array<char, kTimestampLength> at;
  timestamp_.write(at.data(), wall_ns(at_ns));
  return line.word({at.data(), at.size()}).word("\"");
}

void LineWriter::store_full(std::string& out, uint64_t seq, uint64_t line_ns, uint64_t at_ns, std::string_view why) {
  Fields line(out);
  store_line(line, R"({"ev":"store.full","ts":")", seq, line_ns, at_ns).word(",\"why\":").name(why);
  end_line(line);
}

void LineWriter::store_room(std::string& out, uint64_t seq, uint64_t line_ns, uint64_t at_ns) {
  Fields line(out);
  store_line(line, R"({"ev":"store.room","ts":")", seq, line_ns, at_ns);
  end_line(line);
}

void LineWriter::begin_seal(std::string& out, uint64_t seq, uint64_t wall_ns) {
  Fields line(out);
  begin_line(line, R"({"ev":"seal","ts":")", wall_ns, seq).word(epoch_fragment_).word(R"(,"hash":")");
}

}  // namespace sidrec
