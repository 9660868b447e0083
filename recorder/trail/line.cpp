#include "recorder/trail/line.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <limits>

#include "recorder/base/sha256.h"
#include "recorder/trail/json_text.h"

namespace sidrec {
namespace {

// A few fields put together on the stack, to be appended at once. Room for kRoom bytes: every caller's fields are
// words of ours and numbers of at most 20 digits.
class Fields {
 public:
  template <size_t N>
  Fields& key(const char (&literal)[N]) {
    return word({literal, N - 1});
  }
  Fields& word(std::string_view text) {
    text.copy(at_, text.size());
    at_ += text.size();
    return *this;
  }
  Fields& number(uint64_t value, int base = 10) {
    at_ = std::to_chars(at_, room_.data() + room_.size(), value, base).ptr;
    return *this;
  }
  Fields& number_or_null(uint64_t value, bool known) { return known ? number(value) : word("null"); }
  void append_to(std::string& out) const { out.append(room_.data(), static_cast<size_t>(at_ - room_.data())); }

 private:
  static constexpr size_t kRoom = 512;
  std::array<char, kRoom> room_;
  char* at_ = room_.data();
};

void end_line(std::string& out, bool late = false) { out += late ? ",\"late\":true}\n" : "}\n"; }

std::string_view word_of(Direction dir) {
  return dir == Direction::kIn ? "in" : dir == Direction::kOut ? "out" : "err";
}

void append_address(std::string& out, std::string_view key, int family, const uint8_t* address, uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_ntop(family, address, text.data(), text.size()) == nullptr) return;
  out.append(",\"").append(key).append("_ip\":\"").append(text.data());
  out.append("\",\"").append(key).append("_port\":").append(std::to_string(port));
}

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

void LineWriter::begin_line(std::string& out, std::string_view opening, uint64_t wall_ns, uint64_t seq) {
  std::array<char, kTimestampLength> ts;
  timestamp_.write(ts.data(), wall_ns);
  out.append(opening).append(ts.data(), ts.size()).append(session_fragment_);
  Fields().number(seq).append_to(out);
}

void LineWriter::origin(std::string& out, std::string_view rec, const EventHeader& header) {
  if (rec_fragment_.empty() || rec != rec_) {
    rec_ = rec;
    rec_fragment_ = epoch_fragment_ + ",\"rec\":";
    append_json_name(rec_fragment_, rec);
    rec_fragment_ += ",\"pos\":\"";
  }
  out += rec_fragment_;
  Fields fields;
  header.lane == kNoLane ? fields.word("-") : fields.number(header.lane);
  fields.key(":").number(header.pos).key("\",\"conn\":\"c").number(header.conn, 16).key("\"");
  if (header.chan != 0) fields.key(",\"chan\":\"").number(header.chan, 16).key("\"");
  fields.append_to(out);
}

void LineWriter::event(std::string& out, uint64_t seq, std::string_view rec, const EventView& event, bool late) {
  static constexpr std::string_view kOpenings[] = {
      R"({"ev":"conn.open","ts":")",  R"({"ev":"data","ts":")",       R"({"ev":"gap","ts":")",
      R"({"ev":"conn.close","ts":")", R"({"ev":"chan.open","ts":")",  R"({"ev":"chan.close","ts":")",
      R"({"ev":"identity","ts":")",   R"({"ev":"tty.resize","ts":")", R"({"ev":"data","ts":")",
      R"({"ev":"data","ts":")",       R"({"ev":"transfer","ts":")"};
  begin_line(out, kOpenings[static_cast<size_t>(event->kind) - 1], wall_ns(event->time_ns), seq);
  origin(out, rec, *event.header);
  switch (event->kind) {
    case EventKind::kConnOpen: conn_open(out, event); break;
    case EventKind::kData: data(out, event); break;
    case EventKind::kGap: gap(out, *event.header); break;
    case EventKind::kConnClose: conn_close(out, event); break;
    case EventKind::kChanOpen: chan_open(out, event); break;
    case EventKind::kChanClose: chan_close(out, event); break;
    case EventKind::kIdentity: identity(out, event); break;
    case EventKind::kResize: resize(out, event); break;
    case EventKind::kMasked:
    case EventKind::kFolded: left_out(out, *event.header); break;
    case EventKind::kTransfer: transfer(out, event); break;
  }
  end_line(out, late);
}

void LineWriter::conn_open(std::string& out, const EventView& event) {
  const ConnOpen open = conn_open_of(event);
  append_address(out, "client", open.family, open.client_addr, open.client_port);
  append_address(out, "server", open.family, open.server_addr, open.server_port);
  if (open.pid != 0) out.append(",\"pid\":").append(std::to_string(open.pid));
  if (open.program[0] != '\0') append_json_name(out.append(",\"program\":"), open.program);
  if (open.sid_source[0] != '\0') append_json_name(out.append(",\"sid_source\":"), open.sid_source);
  out.append(",\"via\":\"").append(word_of(open.via)).append("\"");
  if (open.counted != 0) out.append(",\"content\":\"counted\"");
}

void LineWriter::chan_open(std::string& out, const EventView& event) {
  const ChanOpen open = chan_open_of(event);
  out.append(",\"kind\":\"").append(word_of(open.kind)).append("\"");
  if (open.kind == ChanKind::kPty) out.append(",\"tty\":\"pts/").append(std::to_string(open.tty)).append("\"");
  append_address(out, "peer", open.family, open.peer_addr, open.peer_port);
  if (open.kind == ChanKind::kForward) out.append(",\"via\":\"").append(word_of(open.via)).append("\"");
  if (open.pid != 0) out.append(",\"pid\":").append(std::to_string(open.pid));
  if (open.counted != 0) out.append(",\"content\":\"counted\"");
}

void LineWriter::chan_close(std::string& out, const EventView& event) {
  const ChanClose close = chan_close_of(event);
  Fields fields;
  fields.key(",\"bytes_in\":").number(close.bytes[0]).key(",\"bytes_out\":").number(close.bytes[1]);
  fields.key(",\"bytes_err\":").number(close.bytes[2]);
  fields.key(",\"why\":\"").word(word_of(static_cast<CloseWhy>(event->why))).key("\"").append_to(out);
}

void LineWriter::identity(std::string& out, const EventView& event) {
  const Identity identity = identity_of(event);
  append_json_name(out.append(",\"user\":"), identity.user);
  if (identity.uid_known != 0) out.append(",\"uid\":").append(std::to_string(identity.uid));
  out.append(",\"how\":\"").append(word_of(identity.how)).append("\"");
}

void LineWriter::resize(std::string& out, const EventView& event) {
  const TerminalSize size = terminal_size_of(event);
  Fields().key(",\"rows\":").number(size.rows).key(",\"cols\":").number(size.cols).append_to(out);
}

void LineWriter::left_out(std::string& out, const EventHeader& header) {
  Fields fields;
  fields.key(",\"dir\":\"").word(word_of(header.dir)).key("\",\"off\":").number(header.off);
  fields.key(",\"len\":").number(header.len);
  header.kind == EventKind::kMasked ? fields.key(",\"masked\":") : fields.key(",\"folded\":");
  fields.number(header.len).append_to(out);
}

void LineWriter::transfer(std::string& out, const EventView& event) {
  const Transfer transfer = transfer_of(event);
  Fields fields;
  fields.key(",\"dir\":\"").word(word_of(event->dir)).key("\",\"protocol\":\"").word(word_of(transfer.protocol));
  fields.key("\"").append_to(out);
  const std::string_view name = transfer_name_of(event);
  if (!name.empty()) append_json_name(out.append(",\"name\":"), name);
  Fields numbers;
  if (transfer.size_known != 0) numbers.key(",\"size\":").number(transfer.size);
  numbers.key(",\"len\":").number(transfer.bytes).key(",\"sha256\":\"").append_to(out);
  out.append(hex(std::to_array(transfer.sha256)));
  out.append("\",\"sequential\":").append(transfer.sequential != 0 ? "true" : "false");
  out.append(",\"finished\":").append(transfer.finished != 0 ? "true" : "false");
}

void LineWriter::data(std::string& out, const EventView& event) {
  constexpr std::string_view kText = ",\"text\":\"";
  Fields()
      .key(",\"dir\":\"")
      .word(word_of(event->dir))
      .key("\",\"off\":")
      .number(event->off)
      .key(",\"len\":")
      .number(event->len)
      .append_to(out);
  out += kText;
  if (!append_json_text(out, event.payload)) {
    out.resize(out.size() - kText.size());
    out += ",\"b64\":\"";
    append_base64(out, event.payload);
  }
  out += '"';
}

void LineWriter::gap(std::string& out, const EventHeader& header) {
  Fields()
      .key(",\"dir\":\"")
      .word(word_of(header.dir))
      .key("\",\"off\":")
      .number(header.off)
      .key(",\"len\":")
      .number(header.len)
      .key(",\"records\":")
      .number(header.records)
      .key(",\"why\":\"")
      .word(word_of(static_cast<GapWhy>(header.why)))
      .key("\"")
      .append_to(out);
}

void LineWriter::conn_close(std::string& out, const EventView& event) {
  const ConnClose close = conn_close_of(event);
  Fields()
      .key(",\"bytes_in\":")
      .number(close.bytes_in)
      .key(",\"bytes_out\":")
      .number(close.bytes_out)
      .key(",\"kernel_bytes_in\":")
      .number_or_null(close.kernel_bytes_in, close.kernel_in_known)
      .key(",\"kernel_bytes_out\":")
      .number_or_null(close.kernel_bytes_out, close.kernel_out_known)
      .key(",\"complete\":")
      .word(completeness(close))
      .key(",\"why\":\"")
      .word(word_of(static_cast<CloseWhy>(event->why)))
      .key("\"")
      .append_to(out);
}

void LineWriter::session_start(std::string& out, uint64_t seq, uint64_t time_ns, const MasterIdentity& master) {
  begin_line(out, R"({"ev":"session.start","ts":")", wall_ns(time_ns), seq);
  out.append(epoch_fragment_).append(",\"rec\":");
  append_json_name(out, master.rec);
  out.append(",\"v\":").append(std::to_string(kTrailVersion)).append(",\"host\":");
  append_json_name(out, master.host);
  out.append(",\"pid\":").append(std::to_string(master.pid)).append(",\"program\":");
  append_json_name(out, master.program);
  out.append(",\"uid\":").append(std::to_string(master.uid));
  out.append(",\"installed\":").append(master.installed ? "true" : "false");
  end_line(out);
}

void LineWriter::master_change(std::string& out, uint64_t seq, uint64_t time_ns, std::string_view from,
                               std::string_view to, std::string_view why, uint64_t repaired_bytes) {
  begin_line(out, R"({"ev":"master.change","ts":")", wall_ns(time_ns), seq);
  append_json_name(out.append(epoch_fragment_).append(",\"from\":"), from);
  append_json_name(out.append(",\"to\":"), to);
  append_json_name(out.append(",\"why\":"), why);
  out.append(",\"repaired_bytes\":").append(std::to_string(repaired_bytes));
  end_line(out);
}

void LineWriter::session_end(std::string& out, uint64_t seq, uint64_t time_ns, const SessionTotals& totals,
                             uint64_t duration_ms, std::string_view why) {
  begin_line(out, R"({"ev":"session.end","ts":")", wall_ns(time_ns), seq);
  out += epoch_fragment_;
  Fields()
      .key(",\"connections\":")
      .number(totals.connections)
      .key(",\"bytes_in\":")
      .number(totals.bytes_in)
      .key(",\"bytes_out\":")
      .number(totals.bytes_out)
      .key(",\"records\":")
      .number(totals.records)
      .key(",\"gaps\":")
      .number(totals.gaps)
      .key(",\"duration_ms\":")
      .number(duration_ms)
      .append_to(out);
  append_json_name(out.append(",\"why\":"), why);
  end_line(out);
}

void LineWriter::store_line(std::string& out, std::string_view opening, uint64_t seq, uint64_t line_ns,
                            uint64_t at_ns) {
  begin_line(out, opening, line_ns, seq);
  out.append(epoch_fragment_).append(R"(,"at":")");
  std::array<char, kTimestampLength> at;
  timestamp_.write(at.data(), wall_ns(at_ns));
  out.append(at.data(), at.size()) += '"';
}

void LineWriter::store_full(std::string& out, uint64_t seq, uint64_t line_ns, uint64_t at_ns, std::string_view why) {
  store_line(out, R"({"ev":"store.full","ts":")", seq, line_ns, at_ns);
  append_json_name(out.append(",\"why\":"), why);
  end_line(out);
}

void LineWriter::store_room(std::string& out, uint64_t seq, uint64_t line_ns, uint64_t at_ns) {
  store_line(out, R"({"ev":"store.room","ts":")", seq, line_ns, at_ns);
  end_line(out);
}

void LineWriter::begin_seal(std::string& out, uint64_t seq, uint64_t wall_ns) {
  begin_line(out, R"({"ev":"seal","ts":")", wall_ns, seq);
  out.append(epoch_fragment_).append(R"(,"hash":")");
}

}  // namespace sidrec
