#include "recorder/trail/trail_check.h"

#include <array>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "recorder/trail/line.h"
#include "recorder/trail/line_facts.h"
#include "recorder/trail/reassembly.h"
#include "recorder/trail/seal.h"
#include "recorder/trail/session_totals.h"

namespace sidrec {
namespace {

using nlohmann::json;

// Nothing where all is well, else what is wrong with a line.
using Fault = std::optional<std::string>;

std::string number(uint64_t value) { return std::to_string(value); }

// The bytes of connections and channels, by their offsets.
class Flows {
 public:
  Fault line(const LineFacts& facts, const TrailReader& reader) {
    switch (facts.kind) {
      case LineKind::kConnOpen:
      case LineKind::kChanOpen: return open(facts, reader);
      case LineKind::kData:
      case LineKind::kGap: return pass(facts);
      case LineKind::kConnClose:
      case LineKind::kChanClose: return close(facts, reader);
      default: return {};
    }
  }

 private:
  struct Flow {
    std::array<uint64_t, kDirections> offset{};
    bool counted = false;
  };
  // By recorder too: each of two that see one connection counts for itself.
  using Name = std::tuple<std::string, std::string, std::string>;

  static Name name_of(const LineFacts& facts) {
    return {std::string(facts.rec), std::string(facts.conn), std::string(facts.chan)};
  }

  Fault open(const LineFacts& facts, const TrailReader& reader) {
    const auto parsed = reader.parsed();
    if (!parsed) return "not a line of a trail";
    flows_[name_of(facts)] = {{}, string_at(*parsed, "content") == "counted"};
    return {};
  }

  Fault pass(const LineFacts& facts) {
    uint64_t& offset = flows_[name_of(facts)].offset[static_cast<size_t>(facts.dir)];
    if (facts.off > offset) return "the trail lacks " + span_text(offset, facts.off - offset);
    if (facts.off < offset) return "the trail holds " + span_text(facts.off, facts.len) + " twice";
    offset += facts.len;
    return {};
  }

  Fault close(const LineFacts& facts, const TrailReader& reader) {
    const auto parsed = reader.parsed();
    if (!parsed) return "not a line of a trail";
    const Flow flow = std::exchange(flows_[name_of(facts)], {});
    flows_.erase(name_of(facts));
    for (size_t dir = 0; dir < kDirections && !flow.counted; ++dir) {
      if (number_at(*parsed, kFinalOffsets[dir]) == flow.offset[dir]) continue;
      return std::string(kFinalOffsets[dir]) + " is " + number(number_at(*parsed, kFinalOffsets[dir])) +
             ", the lines above hold " + number(flow.offset[dir]);
    }
    return {};
  }

  std::map<Name, Flow> flows_;
};

class Checker {
 public:
  Checker(TrailReader& reader, const SealPublicKey* key) : reader_(reader), key_(key) {}

  Fault line() {
    const std::string_view line = reader_.line();
    LineFacts facts;
    if (!facts_.read(line, facts)) return "not a line of a trail";
    ++check_.lines;
    if (auto fault = position(facts)) return fault;
    if (facts.kind == LineKind::kSeal) return seal();
    if (check_.ended) return "a line behind session.end";
    chain_.add(line);
    chain_.add("\n");
    if (check_.unsealed_line.empty()) check_.unsealed_line = place();
    totals_.line(facts);
    if (facts.kind == LineKind::kSessionEnd) return end();
    return flows_.line(facts, reader_);
  }

  // Behind the last line.
  Fault finish() {
    check_.bytes = reader_.source().next_offset();
    check_.last_line = check_.lines == 0 ? reader_.path() : place();
    if (!check_.unsealed_line.empty()) check_.unsealed_bytes = check_.bytes - sealed_to_;
    if (key_ != nullptr && check_.seals > 0 && !last_is_signed_)
      return "the last seal, " + last_seal_ + ", is not signed";
    return {};
  }

  TrailCheck check_;

 private:
  std::string place() const { return reader_.source().line_file() + ":" + number(reader_.source().line_number()); }

  Fault position(const LineFacts& facts) {
    if (facts.seq != check_.lines) return "seq is " + number(facts.seq) + ", not " + number(check_.lines);
    if ((facts.kind == LineKind::kSessionStart) != (check_.lines == 1)) return "session.start is the first line, once";
    if (facts.kind != LineKind::kSessionStart) return {};
    const auto parsed = reader_.parsed();
    if (!parsed) return "not a line of a trail";
    const uint64_t version = number_at(*parsed, "v");
    if (version != kTrailVersion) return "format version " + number(version) + " is not known here";
    return {};
  }

  Fault seal() {
    const std::string_view line = reader_.line();
    const auto seal = read_seal(line);
    if (!seal) return "not a seal as it is written";
    if (check_.ended && check_.unsealed_line.empty()) return "a second seal behind session.end";
    chain_.add(line.substr(0, seal->hash_at));
    if (chain_.close() != seal->hash) {
      return "this seal does not fit: a byte has been changed since " + first_under_this_seal();
    }
    chain_.add(line.substr(seal->hash_at));
    chain_.add("\n");
    if (auto fault = signature(*seal)) return fault;
    ++check_.seals;
    last_seal_ = place();
    check_.unsealed_line.clear();
    sealed_to_ = reader_.source().next_offset();
    return {};
  }

  std::string first_under_this_seal() const { return last_seal_.empty() ? "the first line" : last_seal_; }

  Fault signature(const Seal& seal) {
    last_is_signed_ = !seal.signature.empty();
    if (!last_is_signed_) return {};
    ++check_.signed_seals;
    if (!is_signature(seal.signature)) return "the signature of this seal is none";
    if (key_ != nullptr && !key_->has_signed(seal.hash, seal.signature)) return "this seal is signed with another key";
    return {};
  }

  Fault end() {
    check_.ended = true;
    const auto parsed = reader_.parsed();
    if (!parsed) return "not a line of a trail";
    const SessionTotals& held = totals_.totals();
    const std::pair<const char*, uint64_t> sums[] = {{"connections", held.connections},
                                                     {"bytes_in", held.bytes_in},
                                                     {"bytes_out", held.bytes_out},
                                                     {"records", held.records},
                                                     {"gaps", held.gaps}};
    for (const auto& [key, sum] : sums) {
      if (number_at(*parsed, key) == sum) continue;
      return std::string(key) + " is " + number(number_at(*parsed, key)) + ", the lines above hold " + number(sum);
    }
    return {};
  }

  TrailReader& reader_;
  const SealPublicKey* key_;
  LineFactsReader facts_;
  SealChain chain_;
  Flows flows_;
  TotalsCounter totals_;
  std::string last_seal_;   // its place
  uint64_t sealed_to_ = 0;  // behind the last seal's line
  bool last_is_signed_ = false;
};

}  // namespace

Result<TrailCheck> check_trail(TrailReader& reader, const SealPublicKey* key,
                               const std::function<void(uint64_t)>& progress) {
  constexpr uint64_t kTellEveryBytes = 1024 * 1024;
  Checker checker(reader, key);
  Fault fault;
  uint64_t told = 0;
  while (!fault) {
    const auto more = reader.next();
    if (!more) return more.error();
    if (!*more) break;
    fault = checker.line();
    if (const uint64_t read = reader.source().next_offset(); read >= told + kTellEveryBytes) progress(told = read);
  }
  if (!fault) fault = checker.finish();
  if (fault) checker.check_.wrong_line = reader.error_here(*fault).message;
  checker.check_.torn_bytes = reader.bytes_behind();
  return std::move(checker.check_);
}

std::string fault_of(const TrailCheck& check, bool live) {
  if (!check.wrong_line.empty()) return check.wrong_line;
  if (!check.ended) return live ? "" : check.last_line + ": no session.end follows, and nobody writes this trail";
  if (check.torn_bytes > 0) return check.last_line + ": " + number(check.torn_bytes) + " bytes follow that are no line";
  if (check.seals == 0) return check.unsealed_line + ": not sealed";
  if (!check.unsealed_line.empty()) return check.unsealed_line + ": from here on it is not sealed";
  return {};
}

}  // namespace sidrec
