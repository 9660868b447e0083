// Losses: what a SID whose spool is full has to let go, counted, so that each stream's hole becomes one gap event in
// its exact place (DESIGN D8: the gap is that SID's alone). Pure.
//
// A gap comes before the next event of its connection, and every connection has a last one. Its identity is a
// position just before that event's: records are 32 bytes and more, so nothing else ends there.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "recorder/event/event.h"

namespace sidrec {

class Losses {
 public:
  // A data or gap event that is let go.
  void take(const EventHeader& event) {
    EventHeader& gap = gaps_[event.conn][static_cast<size_t>(event.dir)];
    if (gap.len == 0) {
      gap = event;
      gap.kind = EventKind::kGap;
      gap.why = static_cast<uint8_t>(GapWhy::kSpoolFull);
      gap.payload = 0;
      return;
    }
    gap.len += event.len;
    gap.records += event.records;
  }

  // Gives the gaps that belong before `next` to emit(header).
  template <typename Emit>
  void emit_before(const EventHeader& next, const Emit& emit) {
    const auto found = gaps_.find(next.conn);
    if (found == gaps_.end()) return;
    for (size_t dir = 0; dir < 2; ++dir) {
      EventHeader gap = found->second[dir];
      if (gap.len == 0) continue;
      gap.time_ns = next.time_ns;
      gap.lane = next.lane;
      gap.pos = next.lane == kNoLane ? next.conn | uint64_t{1} << (62 + dir) : next.pos - 2 + dir;
      emit(gap);
    }
    gaps_.erase(found);
  }

  bool empty() const { return gaps_.empty(); }

 private:
  std::map<uint64_t, std::array<EventHeader, 2>> gaps_;
};

}  // namespace sidrec
