#include "recorder/link/ledger.h"

namespace sidrec::link {

uint64_t& RecMarks::lane_mark(uint32_t lane, bool& found) {
  for (CommitMark& mark : lanes_) {
    if (mark.lane == lane) {
      found = true;
      return mark.pos;
    }
  }
  found = false;
  return lanes_.emplace_back(CommitMark{lane, 0}).pos;
}

bool RecMarks::admit(const EventHeader& event) {
  owes_ = true;
  if (event.lane == kNoLane) {
    no_lane_owed_.push_back(event.pos);
    return no_lane_.insert(event.pos).second;
  }
  bool found = false;
  uint64_t& mark = lane_mark(event.lane, found);
  if (found && event.pos <= mark) return false;
  mark = event.pos;
  return true;
}

std::vector<Commit> RecMarks::take_commits() {
  std::vector<Commit> commits;
  if (!owes_) return commits;
  Commit commit{lanes_};
  for (const uint64_t pos : no_lane_owed_) {
    if (commit.marks.size() == kMaxCommits) {
      commits.push_back(std::move(commit));
      commit = {};
    }
    commit.marks.push_back({kNoLane, pos});
  }
  if (!commit.marks.empty()) commits.push_back(std::move(commit));
  no_lane_owed_.clear();
  owes_ = false;
  return commits;
}

Ledger::Ledger(const Watermarks& in_store) {
  for (const auto& [identity, pos] : in_store) {
    RecMarks& marks = recs_[identity.first];
    if (identity.second == kNoLane) {
      marks.no_lane_.insert(pos);
    } else {
      marks.lanes_.push_back({identity.second, pos});
    }
  }
}

}  // namespace sidrec::link
