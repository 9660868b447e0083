// RingReader: takes the records of all lanes out of a ring, oldest first, and gives their room back. Used by the
// recorder's loop, from one thread. What the records mean is not its business.
//
// Guarantees
//  1. Records come in the order of their times over all lanes, and exactly in order within a lane. Nothing is handed
//     out that an unpublished record could precede (invariant 3 of the ring), but for a writer that stands still in
//     the middle of a record for kStuckNs: it is not waited for, and counted.
//  2. The peer is distrusted: each record is copied out, then checked, then used. A lane that says nonsense is
//     retired: an error once, nothing more from it, no harm to other lanes.
//  3. A pass hands out at most kPassBytes and one record.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/clock.h"
#include "recorder/ring/ring_file.h"

namespace sidrec {

// So much is read before the link, the store and the room given back are looked after again.
inline constexpr size_t kPassBytes = 512 * 1024;
// A writer copies 64 KiB in some 20 us; one that was scheduled away comes back sooner than this, also on a crowded
// machine. To go on without it breaks the order.
inline constexpr uint64_t kStuckNs = 500 * kMillisecond;

struct RingRecord {
  uint32_t lane;
  uint64_t pos;  // behind the record: its identity
  ring::RecordHeader header;
  std::string_view payload;  // until the sink returns
};

class RingReader {
 public:
  using Sink = std::function<void(const RingRecord&)>;
  using OnError = std::function<void(const std::string&)>;

  RingReader(const RingFile& ring, OnError on_error);

  // Hands out what is ripe at `now_ns`, which was read before the call; everything when the ring is dead. The number
  // of records.
  size_t pass(uint64_t now_ns, bool dead, const Sink& sink);

  // The last pass ended because of its bound: another one finds more at once.
  bool has_more() const { return has_more_; }
  // Records are published that are not ripe yet.
  bool has_unripe() const;
  // A lane has that many new bytes since the last pass: the question between announcing a sleep and sleeping.
  bool has_news(uint64_t least_bytes) const;
  // A dead ring has nothing left.
  bool is_drained() const { return !has_unripe() && !has_more_; }

  uint64_t tail(uint32_t lane) const { return lanes_[lane].tail; }
  // Everything before `pos` is safe elsewhere: its room is the host's again, and who waits for room is woken.
  void give_back(uint32_t lane, uint64_t pos);

  // More than a quarter of a lane was read and is not given back yet: the host may soon run out of room.
  bool is_pressed() const { return is_filled(lane_bytes_ / 4); }
  // More than half.
  bool is_tight() const { return is_filled(lane_bytes_ / 2); }

  uint64_t stuck_writers() const { return stuck_writers_; }

 private:
  struct Lane {
    ring::LaneControl* control = nullptr;
    const char* data = nullptr;
    uint64_t read = 0;  // next record
    uint64_t head = 0;  // as of the last pass
    uint64_t tail = 0;
    bool retired = false;
    bool loaded = false;  // `next` is the record at `read`
    ring::RecordHeader next{};
    // A writer that is looked at for being stuck.
    uint32_t busy = 0;
    uint64_t busy_floor = 0, busy_head = 0, busy_since_ns = 0;
    bool stuck = false;
  };

  bool is_filled(uint64_t bytes) const;
  uint64_t look(Lane& lane, uint64_t now_ns);
  void watch_writer(Lane& lane, uint32_t busy, uint64_t floor_ns, uint64_t now_ns);
  bool load(uint32_t index, uint64_t now_ns);
  void retire(uint32_t index, const char* why);
  void copy_out(const Lane& lane, uint64_t pos, char* to, size_t bytes) const;
  std::optional<uint32_t> oldest(uint64_t horizon_ns, uint64_t now_ns);
  size_t hand_out(uint32_t index, const Sink& sink);

  uint64_t lane_bytes_;
  OnError on_error_;
  std::vector<Lane> lanes_;
  std::vector<char> payload_;
  bool has_more_ = false;
  uint64_t stuck_writers_ = 0;
};

}  // namespace sidrec
