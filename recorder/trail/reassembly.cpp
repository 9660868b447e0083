#include "recorder/trail/reassembly.h"

#include <algorithm>
#include <map>

#include "recorder/trail/line_facts.h"

namespace sidrec {
namespace {

class Reassembler {
 public:
  Reassembler(TrailReader& reader, Direction dir, const std::function<bool(std::string_view)>& sink)
      : reader_(reader), dir_(dir), sink_(sink) {}

  // True while more lines are wanted.
  Result<bool> line(const LineFacts& facts) {
    result_.connection = true;
    if (facts.kind == LineKind::kConnOpen || facts.kind == LineKind::kChanOpen) return open();
    if (facts.kind == LineKind::kConnClose || facts.kind == LineKind::kChanClose) return close();
    if ((facts.kind != LineKind::kData && facts.kind != LineKind::kGap) || facts.dir != dir_) return true;
    if (facts.off > result_.bytes) return remember(facts.off);
    auto going = take(std::string(reader_.line()));
    while (going && *going && !ahead_.empty() && ahead_.begin()->first <= result_.bytes) going = take_remembered();
    return going;
  }

  Reassembly finish() {
    if (!result_.hole.empty() || stopped_) return std::move(result_);
    uint64_t reached = result_.closed ? final_bytes_ : result_.bytes;
    if (!ahead_.empty()) reached = ahead_.begin()->first;
    if (reached > result_.bytes) {
      result_.hole = "the trail lacks " + span_text(result_.bytes, reached - result_.bytes);
    } else if (reached < result_.bytes) {
      result_.hole = "conn.close counts " + std::to_string(reached) + " bytes, the data lines hold more";
    }
    return std::move(result_);
  }

 private:
  Result<bool> open() {
    const auto parsed = reader_.parsed();
    if (!parsed) return parsed.error();
    if (string_at(*parsed, "content") == "counted") return hole("its bytes were counted, not kept; see its channels");
    return true;
  }

  Result<bool> close() {
    auto parsed = reader_.parsed();
    if (!parsed) return parsed.error();
    // A connection that two recorders saw has two closes; the higher count is the later one.
    final_bytes_ = std::max(final_bytes_, number_at(*parsed, kFinalOffsets[static_cast<size_t>(dir_)]));
    result_.closed = true;
    return true;
  }

  Result<bool> remember(uint64_t off) {
    if (ahead_.size() >= kMaxAhead) return hole("the trail lacks " + span_text(result_.bytes, off - result_.bytes));
    ahead_.emplace(off, reader_.source().line_offset());
    return true;
  }

  Result<bool> take_remembered() {
    LineSource source(reader_.bytes(), ahead_.begin()->second);
    ahead_.erase(ahead_.begin());
    std::string_view line;
    auto found = source.next(line);
    if (!found) return found.error();
    if (!*found) return Error{reader_.path() + ": has changed while it was read"};
    return take(std::string(line));
  }

  Result<bool> take(const std::string& line) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (!parsed.is_object()) return reader_.error_here("not a line of a trail");
    const uint64_t off = number_at(parsed, "off");
    const uint64_t len = number_at(parsed, "len");
    if (off < result_.bytes) return hole("the trail holds " + span_text(off, len) + " twice");
    if (parsed.contains("masked")) return hole("masked on purpose: " + span_text(off, len));
    if (parsed.contains("folded")) return hole("folded, see its transfer line: " + span_text(off, len));
    if (string_at(parsed, "ev") == "gap") {
      return hole("a gap, " + string_at(parsed, "why") + ": " + span_text(off, len) + " passed unrecorded");
    }
    const auto payload = payload_of(parsed);
    if (!payload || payload->size() != len) return hole("a line does not decode to its " + span_text(off, len));
    result_.bytes += len;
    stopped_ = !sink_(*payload);
    return !stopped_;
  }

  Result<bool> hole(std::string what) {
    result_.hole = std::move(what);
    return false;
  }

  TrailReader& reader_;
  const Direction dir_;
  const std::function<bool(std::string_view)>& sink_;
  Reassembly result_;
  uint64_t final_bytes_ = 0;
  bool stopped_ = false;
  std::multimap<uint64_t, uint64_t> ahead_;  // off of the line, where the line begins
};

}  // namespace

std::string span_text(uint64_t off, uint64_t len) {
  return std::to_string(len) + (len == 1 ? " byte" : " bytes") + " at offset " + std::to_string(off);
}

Result<Reassembly> reassemble(TrailReader& reader, std::string_view conn, std::string_view chan, Direction dir,
                              const std::function<bool(std::string_view)>& sink) {
  Reassembler reassembler(reader, dir, sink);
  LineFactsReader facts_reader;
  LineFacts facts;
  while (true) {
    auto more = reader.next();
    if (!more) return more.error();
    if (!*more) break;
    if (!facts_reader.read(reader.line(), facts)) return reader.error_here("not a line of a trail");
    if (facts.conn != conn || facts.chan != chan) continue;
    auto going = reassembler.line(facts);
    if (!going) return going.error();
    if (!*going) break;
  }
  return reassembler.finish();
}

}  // namespace sidrec
