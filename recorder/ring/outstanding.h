// Outstanding: what of each lane was read and is not safe yet, and so how far its tail may go. Pure.
//
// A record belongs to an owner (the role of its SID), or to nobody when no event came of it. Owners say up to which
// position of a lane their records are safe (committed, or in a spool file).
//
// Invariants
//  1. A lane's room is freed in order: a record that is not safe holds back all behind it.
//  2. Neighbours of one owner are one entry: the list is as long as owners alternate, not as records are many.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

namespace sidrec {

using OwnerId = uint64_t;
inline constexpr OwnerId kNobody = 0;

class Outstanding {
 public:
  explicit Outstanding(uint32_t lanes) : lanes_(lanes) {}

  void add(uint32_t lane, uint64_t end_pos, OwnerId owner) {
    auto& entries = lanes_[lane];
    if (!entries.empty() && entries.back().owner == owner) {
      entries.back().end_pos = end_pos;
    } else {
      entries.push_back({end_pos, owner});
    }
  }

  // How far the lane is safe, when it was so up to `tail`; safe(owner, lane) is the owner's mark.
  template <typename Safe>
  uint64_t advance(uint32_t lane, uint64_t tail, const Safe& safe) {
    auto& entries = lanes_[lane];
    while (!entries.empty()) {
      const Entry& front = entries.front();
      // A mark within a record is of one of several events that it caused.
      const uint64_t mark = front.owner == kNobody ? front.end_pos : safe(front.owner, lane) & ~uint64_t{7};
      tail = std::max(tail, std::min(mark, front.end_pos));
      if (tail < front.end_pos) break;
      entries.pop_front();
    }
    return tail;
  }

  // All that was read is safe, and may be freed.
  bool is_empty() const {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& entries) { return entries.empty(); });
  }

  uint32_t lanes() const { return static_cast<uint32_t>(lanes_.size()); }

 private:
  struct Entry {
    uint64_t end_pos;
    OwnerId owner;
  };
  std::vector<std::deque<Entry>> lanes_;
};

}  // namespace sidrec
