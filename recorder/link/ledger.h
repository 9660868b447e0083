// Ledger: what of each recorder's events is in the store, so that nothing is written twice and each is acknowledged
// (DESIGN D7). One for each master; starts from what its store found in the trail. Pure.
//
// Invariants
//  1. Within a lane, events reach a master in the order of their positions, so one position stands for all before it.
//     Positions are unique: no two events have the same (rec, lane, pos).
//  2. Events of kNoLane have no order; they are remembered one by one.
//  3. The marks of a recorder outlive its connections: who comes back and sends again is recognised.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "recorder/event/event.h"
#include "recorder/link/messages.h"
#include "recorder/store/storage_engine.h"

namespace sidrec::link {

class RecMarks {
 public:
  // False when the event is in the store already. Either way it will be acknowledged.
  bool admit(const EventHeader& event);

  // The acknowledgements owed, as messages; for after the store's commit. Lane marks are always all there.
  std::vector<Commit> take_commits();
  bool owes_commit() const { return owes_; }
  // A connection of the recorder is welcomed. Acknowledgements go to the newest of them, in whatever order their HELLOs
  // are heard: an older one is of a recorder that has died, or has given it up. It is owed all lane marks.
  void set_reader(uint64_t peer) {
    reader_ = std::max(reader_, peer);
    owes_ = owes_ || !lanes_.empty();
  }
  uint64_t reader() const { return reader_; }

 private:
  friend class Ledger;
  uint64_t& lane_mark(uint32_t lane, bool& found);

  std::vector<CommitMark> lanes_;  // a handful: a ring has at most 16
  std::unordered_set<uint64_t> no_lane_;
  std::vector<uint64_t> no_lane_owed_;
  bool owes_ = false;
  uint64_t reader_ = 0;
};

class Ledger {
 public:
  explicit Ledger(const Watermarks& in_store = {});
  // The reference stays valid for the ledger's life.
  RecMarks& of(const std::string& rec) { return recs_[rec]; }

 private:
  std::map<std::string, RecMarks> recs_;
};

}  // namespace sidrec::link
