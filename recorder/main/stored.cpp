#include "recorder/main/stored.h"

#include <algorithm>

#include "recorder/trail/trail_bytes.h"
#include "recorder/trail/trail_scan.h"
#include "recorder/trail/trail_store.h"

namespace sidrec {

Result<void> Stored::look_into(const std::string& audit_dir, const std::string& sid, const std::string& session,
                               const std::string& rec) {
  const auto trails = trails_of_sid(audit_dir, sid);
  if (!trails) return trails.error();
  for (const TrailFile& trail : *trails) {
    if (trail.session != session) continue;
    auto bytes = TrailBytes::open(trail.path());
    if (!bytes) return bytes.error();
    const auto scan = scan_trail(*bytes);
    if (!scan) return scan.error();
    for (const auto& [place, pos] : scan->watermarks) {
      if (place.first != rec || place.second >= lanes_.size()) continue;
      lanes_[place.second] = std::max(lanes_[place.second], pos);
      marks_.marks.push_back({place.second, pos});
    }
    for (const auto& [pos, whose] : scan->laneless) {
      if (whose == rec && laneless_.insert(pos).second) marks_.marks.push_back({kNoLane, pos});
    }
  }
  return {};
}

bool Stored::holds(const EventHeader& event) const {
  if (event.lane == kNoLane) return laneless_.contains(event.pos);
  return event.lane < lanes_.size() && event.pos <= lanes_[event.lane];
}

}  // namespace sidrec
