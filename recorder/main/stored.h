// Stored: which of one recorder's events the store holds in sessions that have ended. A session may end without a
// recorder's hearing of what was written for it: its master has died, and who came next did not know the session; or
// the recorder has died, and its ring says nothing of sessions. What such a session holds must not come into another.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "recorder/base/result.h"
#include "recorder/event/event.h"
#include "recorder/link/messages.h"

namespace sidrec {

class Stored {
 public:
  // Adds what the trail of that session, which nobody writes any more, holds of `rec`. Reads all of it.
  Result<void> look_into(const std::string& audit_dir, const std::string& sid, const std::string& session,
                         const std::string& rec);

  bool holds(const EventHeader& event) const;
  bool is_empty() const { return marks_.marks.empty(); }
  // As the master of that session would have said it.
  const link::Commit& marks() const { return marks_; }

 private:
  std::array<uint64_t, link::kMaxLanes> lanes_{};
  std::set<uint64_t> laneless_;
  link::Commit marks_;
};

}  // namespace sidrec
