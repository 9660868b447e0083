#include "recorder/trail/session_summary.h"

#include <algorithm>

#include "recorder/base/clock.h"
#include "recorder/trail/last_line.h"
#include "recorder/trail/line.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/timestamp.h"
#include "recorder/trail/trail_scan.h"

namespace sidrec {
namespace {

Result<void> read_start(TrailReader& reader, SessionSummary& summary) {
  auto first = reader.next();
  if (!first) return first.error();
  if (!*first) return Error{reader.path() + ": holds no whole line yet", EAGAIN};
  auto start = reader.parsed();
  if (!start) return start.error();
  if (string_at(*start, "ev") != "session.start") return reader.error_here("a trail begins with session.start");
  if (number_at(*start, "v") != kTrailVersion) {
    return reader.error_here("format version " + std::to_string(number_at(*start, "v")) + " is not known here");
  }
  summary.sid = string_at(*start, "sid");
  summary.session = string_at(*start, "session");
  summary.started = string_at(*start, "ts");
  return {};
}

bool read_end(TrailReader& reader, SessionSummary& summary) {
  const auto last = trail_end_of(reader.bytes());
  if (!last) return false;
  const auto end = nlohmann::json::parse(last->session_end, nullptr, false);
  if (!end.is_object()) return false;
  summary.state = SessionState::kEnded;
  summary.duration_ms = number_at(end, "duration_ms");
  summary.totals = {number_at(end, "connections"), number_at(end, "bytes_in"), number_at(end, "bytes_out"),
                    number_at(end, "records"), number_at(end, "gaps")};
  return true;
}

}  // namespace

std::string_view word_of(SessionState state) {
  switch (state) {
    case SessionState::kLive: return "live";
    case SessionState::kEnded: return "ended";
    case SessionState::kUnfinished: return "unfinished";
  }
  return "unknown";
}

Result<SessionSummary> summarize(const TrailFile& trail) {
  auto reader = TrailReader::open(trail.path());
  if (!reader) return reader.error();
  SessionSummary summary;
  if (auto start = read_start(*reader, summary); !start) return start.error();
  if (read_end(*reader, summary)) return summary;

  summary.state = is_live(trail) ? SessionState::kLive : SessionState::kUnfinished;
  auto scan = scan_trail(reader->bytes());
  if (!scan) return scan.error();
  const bool live = summary.state == SessionState::kLive;
  const uint64_t until = live ? std::max(scan->latest_wall_ns, clock_ns(CLOCK_REALTIME)) : scan->latest_wall_ns;
  summary.duration_ms = (until - std::min(until, scan->start_wall_ns)) / kMillisecond;
  summary.totals = scan->totals.totals();
  return summary;
}

}  // namespace sidrec
