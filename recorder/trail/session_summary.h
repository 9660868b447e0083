// SessionSummary: one line of `sidrec ls`. Of a session that has ended the first and the last line are read; of any
// other the whole trail (trail_scan.h).
#pragma once

#include <cstdint>
#include <string>

#include "recorder/base/result.h"
#include "recorder/trail/session_totals.h"
#include "recorder/trail/trail_store.h"

namespace sidrec {

enum class SessionState {
  kLive,        // a master is writing it
  kEnded,       // has its session.end
  kUnfinished,  // neither: its recorders died, or are between two masters
};

std::string_view word_of(SessionState state);

struct SessionSummary {
  std::string sid;
  std::string session;
  std::string started;       // ts of session.start
  uint64_t duration_ms = 0;  // of a live session until now, of an unfinished one until its last line
  SessionTotals totals;
  SessionState state = SessionState::kUnfinished;
};

Result<SessionSummary> summarize(const TrailFile& trail);

}  // namespace sidrec
