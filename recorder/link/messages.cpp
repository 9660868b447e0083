#include "recorder/link/messages.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace sidrec::link {
namespace {

// The fixed parts, without padding. Strings follow in the order of their lengths.
struct HelloBody {
  int64_t clock_offset_ns;
  uint64_t oldest_ns;
  uint32_t epoch;
  uint32_t host_pid;
  uint32_t connections;
  uint16_t rec_bytes, sid_bytes, program_bytes, session_bytes;  // session_bytes 0: none known
  uint32_t reserved;
};
static_assert(sizeof(HelloBody) == 40);

struct WelcomeBody {
  int64_t clock_offset_ns;
  uint32_t epoch;
  uint32_t retry_ms;
  uint32_t session_bytes;
  uint32_t reserved;
};
static_assert(sizeof(WelcomeBody) == 24);

struct RequestBody {
  uint64_t bytes, records, oldest_ns;
  uint32_t request;
  uint32_t reserved;
};
static_assert(sizeof(RequestBody) == 32);

struct PassBody {
  uint64_t credit;
  uint32_t request;
  uint32_t reserved;
};
static_assert(sizeof(PassBody) == 16);

struct WaitBody {
  uint32_t request;
  uint32_t retry_ms;
};
static_assert(sizeof(WaitBody) == 8);

struct CommitBody {
  uint32_t lane;
  uint32_t reserved;
  uint64_t pos;
};
static_assert(sizeof(CommitBody) == 16);

MessageHeader header_of(MessageType type) { return {kMagic, kVersion, static_cast<uint8_t>(type), 0}; }

template <typename T>
void put(std::string& out, const T& value) {
  static_assert(std::has_unique_object_representations_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

Error malformed(MessageType type, std::string_view why) {
  return {"malformed " + std::string(name_of(type)) + ": " + std::string(why)};
}

// Recorder ids and session ids reach logs, JSON and file names.
bool is_name(std::string_view text, size_t max) {
  return !text.empty() && text.size() <= max && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.' || c == ':';
         });
}

// Takes a fixed part off the front of `rest`.
template <typename T>
std::optional<T> take(std::string_view& rest) {
  if (rest.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, rest.data(), sizeof value);
  rest.remove_prefix(sizeof value);
  return value;
}

std::string take_string(std::string_view& rest, size_t bytes) {
  std::string text(rest.substr(0, bytes));
  rest.remove_prefix(bytes);
  return text;
}

struct Encoder {
  std::string& out;

  void operator()(const Hello& hello) const {
    const bool known = hello.known.has_value();
    put(out, HelloBody{known ? hello.known->clock_offset_ns : 0, hello.oldest_ns, known ? hello.known->epoch : 0,
                       hello.host_pid, hello.connections, static_cast<uint16_t>(hello.rec.size()),
                       static_cast<uint16_t>(hello.sid.size()), static_cast<uint16_t>(hello.program.size()),
                       static_cast<uint16_t>(known ? hello.known->session.size() : 0), 0});
    out.append(hello.rec).append(hello.sid).append(hello.program);
    if (known) out.append(hello.known->session);
  }
  void operator()(const Welcome& welcome) const {
    put(out, WelcomeBody{welcome.identity.clock_offset_ns, welcome.identity.epoch, welcome.retry_ms,
                         static_cast<uint32_t>(welcome.identity.session.size()), 0});
    out.append(welcome.identity.session);
  }
  void operator()(const Refuse& refuse) const { out.append(refuse.reason, 0, kMaxReason); }
  void operator()(const Request& request) const {
    put(out, RequestBody{request.bytes, request.records, request.oldest_ns, request.request, 0});
  }
  void operator()(const Pass& pass) const { put(out, PassBody{pass.credit, pass.request, 0}); }
  void operator()(const Wait& wait) const { put(out, WaitBody{wait.request, wait.retry_ms}); }
  void operator()(const Data& data) const { out.append(data.events); }
  void operator()(const Commit& commit) const {
    for (const CommitMark& mark : commit.marks) put(out, CommitBody{mark.lane, 0, mark.pos});
  }
  void operator()(const Bye&) const {}
  void operator()(const ByeAck&) const {}
  void operator()(const Status&) const {}
  void operator()(const Report& report) const { out.append(report.text); }
};

Result<Message> decode_hello(std::string_view rest) {
  const auto body = take<HelloBody>(rest);
  if (!body) return malformed(MessageType::kHello, "too short");
  const size_t strings = size_t{body->rec_bytes} + body->sid_bytes + body->program_bytes + body->session_bytes;
  if (rest.size() != strings || body->reserved != 0) return malformed(MessageType::kHello, "lengths do not add up");
  if (body->sid_bytes > kMaxSid) return malformed(MessageType::kHello, "SID too long");
  if (body->program_bytes > kMaxProgram) return malformed(MessageType::kHello, "program name too long");
  Hello hello;
  hello.host_pid = body->host_pid;
  hello.connections = body->connections;
  hello.oldest_ns = body->oldest_ns;
  hello.rec = take_string(rest, body->rec_bytes);
  hello.sid = take_string(rest, body->sid_bytes);
  hello.program = take_string(rest, body->program_bytes);
  if (!is_name(hello.rec, kMaxRec)) return malformed(MessageType::kHello, "not a recorder id");
  if (body->session_bytes > 0) {
    hello.known = SessionIdentity{std::string(rest), body->clock_offset_ns, body->epoch};
    if (!is_name(hello.known->session, kMaxSession)) return malformed(MessageType::kHello, "not a session id");
  } else if (body->clock_offset_ns != 0 || body->epoch != 0) {
    return malformed(MessageType::kHello, "an epoch of no session");
  }
  return Message{std::move(hello)};
}

Result<Message> decode_welcome(std::string_view rest) {
  const auto body = take<WelcomeBody>(rest);
  if (!body || rest.size() != body->session_bytes || body->reserved != 0) {
    return malformed(MessageType::kWelcome, "wrong length");
  }
  if (!is_name(rest, kMaxSession)) return malformed(MessageType::kWelcome, "not a session id");
  if (body->retry_ms == 0 || body->retry_ms > kMaxRetryMs)
    return malformed(MessageType::kWelcome, "retry out of range");
  return Message{Welcome{{std::string(rest), body->clock_offset_ns, body->epoch}, body->retry_ms}};
}

Result<Message> decode_refuse(std::string_view rest) {
  if (rest.size() > kMaxReason) return malformed(MessageType::kRefuse, "reason too long");
  Refuse refuse{std::string(rest)};
  // It goes into a log: one line, nothing a terminal obeys.
  std::replace_if(
      refuse.reason.begin(), refuse.reason.end(), [](char c) { return c < 0x20 || c == 0x7f; }, '?');
  return Message{std::move(refuse)};
}

Result<Message> decode_request(std::string_view rest) {
  const auto body = take<RequestBody>(rest);
  if (!body || !rest.empty() || body->reserved != 0) return malformed(MessageType::kRequest, "wrong length");
  if (body->request == 0) return malformed(MessageType::kRequest, "no number");
  if (body->bytes > kMaxPending || body->records > body->bytes / sizeof(EventHeader) ||
      (body->bytes == 0) != (body->records == 0)) {
    return malformed(MessageType::kRequest, "impossible amounts");
  }
  return Message{Request{body->request, body->bytes, body->records, body->oldest_ns}};
}

Result<Message> decode_pass(std::string_view rest) {
  const auto body = take<PassBody>(rest);
  if (!body || !rest.empty() || body->reserved != 0) return malformed(MessageType::kPass, "wrong length");
  if (body->credit == 0 || body->credit > kMaxPending) return malformed(MessageType::kPass, "credit out of range");
  return Message{Pass{body->request, body->credit}};
}

Result<Message> decode_wait(std::string_view rest) {
  const auto body = take<WaitBody>(rest);
  if (!body || !rest.empty()) return malformed(MessageType::kWait, "wrong length");
  if (body->retry_ms == 0 || body->retry_ms > kMaxRetryMs) return malformed(MessageType::kWait, "retry out of range");
  return Message{Wait{body->request, body->retry_ms}};
}

Result<Message> decode_data(std::string_view rest) {
  if (rest.empty() || rest.size() % 8 != 0) return malformed(MessageType::kData, "not whole events");
  if (rest.size() > kMaxFrameBytes) return malformed(MessageType::kData, "oversized");
  return Message{Data{rest}};
}

Result<Message> decode_commit(std::string_view rest) {
  if (rest.empty() || rest.size() % sizeof(CommitBody) != 0) return malformed(MessageType::kCommit, "wrong length");
  if (rest.size() / sizeof(CommitBody) > kMaxCommits) return malformed(MessageType::kCommit, "too many marks");
  Commit commit;
  commit.marks.reserve(rest.size() / sizeof(CommitBody));
  while (const auto body = take<CommitBody>(rest)) {
    if (body->reserved != 0) return malformed(MessageType::kCommit, "reserved field in use");
    commit.marks.push_back({body->lane, body->pos});
  }
  return Message{std::move(commit)};
}

Result<Message> decode_report(std::string_view rest) {
  if (rest.empty() || rest.size() > kMaxFrameBytes) return malformed(MessageType::kReport, "wrong length");
  return Message{Report{std::string(rest)}};
}

template <typename T>
Result<Message> decode_empty(MessageType type, std::string_view rest) {
  if (!rest.empty()) return malformed(type, "wrong length");
  return Message{T{}};
}

constexpr uint16_t bit(MessageType type) { return static_cast<uint16_t>(1u << static_cast<unsigned>(type)); }

// Rows are the states, in order. The master's answers may still be under way when the slave says BYE.
struct Rights {
  uint16_t slave, master;
};
constexpr uint16_t kAnswers = bit(MessageType::kPass) | bit(MessageType::kWait) | bit(MessageType::kCommit);
constexpr Rights kRights[] = {
    /* kNew     */ {bit(MessageType::kHello) | bit(MessageType::kStatus), bit(MessageType::kRefuse)},
    /* kGreeted */ {0, bit(MessageType::kWelcome) | bit(MessageType::kRefuse)},
    /* kMember  */
    {bit(MessageType::kRequest) | bit(MessageType::kData) | bit(MessageType::kBye),
     kAnswers | bit(MessageType::kRefuse)},
    /* kLeaving */ {0, kAnswers | bit(MessageType::kByeAck) | bit(MessageType::kReport) | bit(MessageType::kRefuse)},
};

}  // namespace

std::string_view name_of(MessageType type) {
  switch (type) {
    case MessageType::kHello: return "HELLO";
    case MessageType::kWelcome: return "WELCOME";
    case MessageType::kRefuse: return "REFUSE";
    case MessageType::kRequest: return "REQUEST";
    case MessageType::kPass: return "PASS";
    case MessageType::kWait: return "WAIT";
    case MessageType::kData: return "DATA";
    case MessageType::kCommit: return "COMMIT";
    case MessageType::kBye: return "BYE";
    case MessageType::kByeAck: return "BYE_ACK";
    case MessageType::kStatus: return "STATUS";
    case MessageType::kReport: return "REPORT";
  }
  return "unknown message";
}

MessageType type_of(const Message& message) { return static_cast<MessageType>(message.index() + 1); }

std::string encode(const Message& message) {
  std::string out;
  if (const auto* data = std::get_if<Data>(&message)) out.reserve(sizeof(MessageHeader) + data->events.size());
  put(out, header_of(type_of(message)));
  std::visit(Encoder{out}, message);
  return out;
}

MessageHeader data_header() { return header_of(MessageType::kData); }

Result<Message> decode(std::string_view datagram) {
  if (datagram.size() > kMaxDatagramBytes) return Error{"oversized datagram"};
  const auto header = take<MessageHeader>(datagram);
  if (!header) return Error{"datagram too short for a message"};
  if (header->magic != kMagic) return Error{"not a message of the link"};
  const auto type = static_cast<MessageType>(header->type);
  if (header->version != kVersion && type != MessageType::kRefuse) {
    return Error{"unknown protocol version " + std::to_string(header->version)};
  }
  if (header->reserved != 0) return malformed(type, "reserved field in use");
  switch (type) {
    case MessageType::kHello: return decode_hello(datagram);
    case MessageType::kWelcome: return decode_welcome(datagram);
    case MessageType::kRefuse: return decode_refuse(datagram);
    case MessageType::kRequest: return decode_request(datagram);
    case MessageType::kPass: return decode_pass(datagram);
    case MessageType::kWait: return decode_wait(datagram);
    case MessageType::kData: return decode_data(datagram);
    case MessageType::kCommit: return decode_commit(datagram);
    case MessageType::kBye: return decode_empty<Bye>(type, datagram);
    case MessageType::kByeAck: return decode_empty<ByeAck>(type, datagram);
    case MessageType::kStatus: return decode_empty<Status>(type, datagram);
    case MessageType::kReport: return decode_report(datagram);
  }
  return Error{"unknown message type " + std::to_string(header->type)};
}

Result<void> check_right(Side from, LinkState state, MessageType type) {
  static constexpr std::string_view kStates[] = {"new", "greeted", "member", "leaving"};
  const auto row = static_cast<size_t>(state);
  const uint16_t allowed = from == Side::kSlave ? kRights[row].slave : kRights[row].master;
  if (allowed & bit(type)) return {};
  return Error{std::string(name_of(type)) + " from a " + (from == Side::kSlave ? "slave" : "master") + " in state " +
               std::string(kStates[row])};
}

}  // namespace sidrec::link
