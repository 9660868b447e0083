#include "recorder/trail/line_facts.h"

#include <array>
#include <charconv>
#include <utility>

#include "recorder/trail/timestamp.h"

namespace sidrec {
namespace {

// Takes a line apart from its front; the first thing that does not fit makes every later take fail.
class Taker {
 public:
  explicit Taker(std::string_view rest) : rest_(rest) {}

  bool take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  template <typename T>
  bool number(T& value) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return true;
  }
  // Up to the closing quote, which is taken too. A string with an escape in it is for the JSON parser.
  bool text(std::string_view& value) {
    const size_t end = rest_.find('"');
    if (end == std::string_view::npos) return false;
    value = rest_.substr(0, end);
    if (value.find('\\') != std::string_view::npos) return false;
    rest_.remove_prefix(end + 1);
    return true;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

constexpr std::array<std::pair<std::string_view, LineKind>, 12> kKinds = {{
    {"data", LineKind::kData},
    {"conn.open", LineKind::kConnOpen},
    {"conn.close", LineKind::kConnClose},
    {"chan.open", LineKind::kChanOpen},
    {"chan.close", LineKind::kChanClose},
    {"gap", LineKind::kGap},
    {"identity", LineKind::kIdentity},
    {"tty.resize", LineKind::kTtyResize},
    {"session.start", LineKind::kSessionStart},
    {"master.change", LineKind::kMasterChange},
    {"session.end", LineKind::kSessionEnd},
    {"seal", LineKind::kSeal},
}};

LineKind kind_of(std::string_view ev) {
  for (const auto& [word, kind] : kKinds) {
    if (ev == word) return kind;
  }
  return LineKind::kOther;
}

bool has_span(LineKind kind) { return kind == LineKind::kData || kind == LineKind::kGap; }

// Whether the keys that all kinds share have been taken, and none was passed over for being written in another way.
bool is_behind_common_keys(std::string_view rest) {
  if (!rest.starts_with(",\"")) return rest.starts_with("}");
  const size_t end = rest.find('"', 2);
  if (end == std::string_view::npos || !rest.substr(end).starts_with("\":")) return false;
  const std::string_view key = rest.substr(2, end - 2);
  return key != "rec" && key != "pos" && key != "conn" && key != "chan";
}

bool take_position(Taker& taker, LineFacts& facts) {
  facts.lane = kNoLane;
  return (taker.take("-") || taker.number(*facts.lane)) && taker.take(":") && taker.number(facts.pos);
}

bool take_span(Taker& taker, LineFacts& facts) {
  if (!taker.take(",\"dir\":\"")) return false;
  if (taker.take("in\"")) {
    facts.dir = Direction::kIn;
  } else if (taker.take("out\"")) {
    facts.dir = Direction::kOut;
  } else if (taker.take("err\"")) {
    facts.dir = Direction::kErr;
  } else {
    return false;
  }
  return taker.take(",\"off\":") && taker.number(facts.off) && taker.take(",\"len\":") && taker.number(facts.len);
}

std::string_view text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return {};
  return found->get_ref<const std::string&>();
}

uint64_t number_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

}  // namespace

bool LineFactsReader::read_our_order(std::string_view line, LineFacts& facts) {
  Taker taker(line);
  std::string_view ev;
  if (!taker.take(R"({"ev":")") || !taker.text(ev) || !taker.take(R"(,"ts":")")) return false;
  facts.kind = kind_of(ev);
  facts.ts = taker.rest().substr(0, kTimestampLength);
  if (!taker.take(facts.ts)) return false;
  if (fragment_.empty() || !taker.take(fragment_)) {
    // In a JSON string the quote before seq would be escaped, so this is the key.
    constexpr std::string_view kSeq = ",\"seq\":";
    const size_t seq = taker.rest().find(kSeq);
    if (!taker.rest().starts_with(R"(","sid":")") || seq == std::string_view::npos) return false;
    fragment_ = taker.rest().substr(0, seq + kSeq.size());
    taker.take(fragment_);
  }
  if (!taker.number(facts.seq) || !taker.take(",\"epoch\":") || !taker.number(facts.epoch)) return false;
  if (taker.take(",\"rec\":\"") && !taker.text(facts.rec)) return false;
  if (taker.take(",\"pos\":\"") && !(take_position(taker, facts) && taker.take("\""))) return false;
  if (taker.take(",\"conn\":\"") && !taker.text(facts.conn)) return false;
  if (taker.take(",\"chan\":\"") && !taker.text(facts.chan)) return false;
  if (has_span(facts.kind) ? !take_span(taker, facts) : !is_behind_common_keys(taker.rest())) return false;
  return taker.rest().ends_with("}");
}

bool LineFactsReader::read_any_order(std::string_view line, LineFacts& facts) {
  parsed_ = nlohmann::json::parse(line, nullptr, false);
  if (!parsed_.is_object() || text_of(parsed_, "ev").empty() || number_of(parsed_, "seq") == 0) return false;
  facts.kind = kind_of(text_of(parsed_, "ev"));
  facts.ts = text_of(parsed_, "ts");
  facts.seq = number_of(parsed_, "seq");
  facts.epoch = static_cast<uint32_t>(number_of(parsed_, "epoch"));
  facts.rec = text_of(parsed_, "rec");
  facts.conn = text_of(parsed_, "conn");
  facts.chan = text_of(parsed_, "chan");
  Taker position(text_of(parsed_, "pos"));
  if (!position.rest().empty() && !take_position(position, facts)) return false;
  if (!has_span(facts.kind)) return true;
  const auto dir = direction_of(text_of(parsed_, "dir"));
  if (!dir) return false;
  facts.dir = *dir;
  facts.off = number_of(parsed_, "off");
  facts.len = number_of(parsed_, "len");
  return true;
}

bool LineFactsReader::read(std::string_view line, LineFacts& facts) {
  facts = {};
  if (read_our_order(line, facts)) return true;
  facts = {};
  return read_any_order(line, facts);
}

std::optional<Direction> direction_of(std::string_view text) {
  if (text == "in") return Direction::kIn;
  if (text == "out") return Direction::kOut;
  if (text == "err") return Direction::kErr;
  return std::nullopt;
}

std::optional<uint64_t> conn_of(std::string_view text) {
  if (text.size() < 2 || text[0] != 'c') return std::nullopt;
  uint64_t conn = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), conn, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return conn;
}

}  // namespace sidrec
