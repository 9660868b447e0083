#include "recorder/trail/trail_scan.h"

#include <algorithm>

#include "recorder/trail/line_facts.h"
#include "recorder/trail/line_source.h"
#include "recorder/trail/seal.h"
#include "recorder/trail/timestamp.h"

namespace sidrec {
namespace {

class Scanner {
 public:
  void line(std::string_view line, uint64_t offset) {
    LineFacts facts;
    if (!reader_.read(line, facts)) {
      ++scan_.foreign_lines;
      return;
    }
    time(facts.ts);
    scan_.last_seq = std::max(scan_.last_seq, facts.seq);
    scan_.last_epoch = std::max(scan_.last_epoch, facts.epoch);
    if (facts.lane) watermark(facts);
    scan_.totals.line(facts);
    note(line, offset, facts);
  }

  TrailScan scan_;

 private:
  void time(std::string_view ts) {
    const auto wall = timestamps_.read(ts);
    if (!wall) return;
    if (scan_.start_wall_ns == 0) scan_.start_wall_ns = *wall;
    scan_.latest_wall_ns = std::max(scan_.latest_wall_ns, *wall);
  }

  void watermark(const LineFacts& facts) {
    if (*facts.lane == kNoLane) {
      scan_.laneless.emplace(facts.pos, facts.rec);
      return;
    }
    if (mark_ == nullptr || mark_->first.second != *facts.lane || mark_->first.first != facts.rec) {
      mark_ = &*scan_.watermarks.try_emplace({std::string(facts.rec), *facts.lane}, 0).first;
    }
    mark_->second = std::max(mark_->second, facts.pos);
  }

  void note(std::string_view line, uint64_t offset, const LineFacts& facts) {
    switch (facts.kind) {
      case LineKind::kSessionStart:
        scan_.started = true;
        scan_.master = facts.rec;
        break;
      case LineKind::kMasterChange: {
        const auto parsed = nlohmann::json::parse(line, nullptr, false);
        if (parsed.is_object() && parsed.contains("to") && parsed["to"].is_string()) scan_.master = parsed["to"];
        break;
      }
      case LineKind::kSessionEnd: scan_.ended = true; break;
      case LineKind::kSeal:
        if (const auto seal = read_seal(line)) scan_.sealed_bytes = offset + seal->hash_at;
        break;
      default: break;
    }
  }

  LineFactsReader reader_;
  TimestampReader timestamps_;
  Watermarks::value_type* mark_ = nullptr;  // of the last line: most lines share theirs with the line before
};

}  // namespace

Result<TrailScan> scan_trail(TrailBytes& bytes) {
  Scanner scanner;
  LineSource source(bytes);
  std::string_view line;
  while (true) {
    auto more = source.next(line);
    if (!more) return more.error();
    if (!*more) break;
    scanner.line(line, source.line_offset());
  }
  const auto size = bytes.size();
  if (!size) return size.error();
  scanner.scan_.whole_bytes = source.next_offset();
  scanner.scan_.torn_bytes = *size - std::min(*size, source.next_offset());
  return std::move(scanner.scan_);
}

}  // namespace sidrec
