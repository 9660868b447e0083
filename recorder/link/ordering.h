// Ordering: the master's own events and its slaves', merged by (time, recorder) (S7; DESIGN D11). Pure: it holds whole
// frames of encoded events, and releases what is old enough that nothing older can be expected.
//
// Invariants
//  1. Events of one source leave in the order in which they came, whatever their times say: an event counts as no
//     younger than the one before it, and as no younger than its arrival, so that no lying clock holds it for ever.
//  2. Held back is what is younger than now - window. Without slaves the window is 0. It is extended, up to the longest
//     window, to data that is expected and older (WaitingQueue::oldest_expected_ns), and by late arrivals.
//  3. What comes later than what was released already is released at once, with `late`.
//  4. No allocation for an event: a frame is allocated by who received it, and freed when its last event is released.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/clock.h"
#include "recorder/base/result.h"
#include "recorder/event/event.h"

namespace sidrec::link {

struct OrderingSettings {
  uint64_t window_ns = 20 * kMillisecond;  // a slave's ring is read every 8 ms; the rest is scheduling and the link
  uint64_t max_window_ns = 500 * kMillisecond;  // nobody reading the trail waits longer for one slow slave
  uint64_t calm_ns = 5 * kSecond;               // without a late event, then the widened window is halved
};

class Ordering {
 public:
  using SourceId = uint64_t;  // a PeerId, or another number for the master's own host

  explicit Ordering(OrderingSettings settings = {}) : settings_(settings), window_ns_(settings.window_ns) {}

  void add_source(SourceId source, std::string rec, uint64_t now_ns);
  // No more will come from it. What it sent is released as before.
  void remove_source(SourceId source);

  // Takes whole events; their bytes must be 8-aligned, as those of any heap string are. The time of the last one, or an
  // error when they are malformed or the source is unknown, and nothing was taken.
  Result<uint64_t> add_frame(SourceId source, std::string frame, uint64_t now_ns);

  // With none, everything is released at once.
  void set_slaves(size_t slaves) { slaves_ = slaves; }
  void set_expected(std::optional<uint64_t> oldest_ns) { expected_ns_ = oldest_ns; }
  // The master wrote an event past this queue, since it had no slave.
  void note_direct(uint64_t time_ns) { released_ns_ = std::max(released_ns_, time_ns); }

  struct Released {
    SourceId source;
    std::string_view rec;
    EventView event;  // valid during the visit
    bool late;
  };
  using Visitor = std::function<void(const Released&)>;
  // How many bytes of which source left, one entry for each run of events from it. Valid until the next call.
  struct Drained {
    SourceId source;
    size_t bytes;
  };
  // The visitor must not call back.
  const std::vector<Drained>& release(uint64_t now_ns, const Visitor& visit);
  // Everything, whatever its age: the session ends, or the master leaves.
  const std::vector<Drained>& release_all(const Visitor& visit);

  // When release() will have something to do, if nothing changes before; none when nothing is held.
  std::optional<uint64_t> next_release_ns() const;

  bool empty() const { return heap_.empty(); }
  size_t held_bytes() const { return held_bytes_; }
  size_t held_bytes(SourceId source) const;
  std::optional<uint64_t> oldest_held_ns() const;
  uint64_t window_ns() const { return slaves_ == 0 ? 0 : window_ns_; }
  uint64_t late_events() const { return late_events_; }

 private:
  struct Source {
    SourceId id = 0;
    std::string rec;
    uint64_t joined_ns = 0;
    std::deque<std::string> frames;
    std::deque<uint64_t> arrivals;  // of each frame
    size_t at = 0;                  // offset of the next event in the first frame
    uint64_t key_ns = 0;            // the next event's time for the order
    size_t held = 0;
    bool leaving = false;
  };
  static bool later(const Source* a, const Source* b);

  void take_key(Source& source);
  void push(Source& source);
  void widen(const Source& source, uint64_t first_ns, uint64_t now_ns);
  void calm(uint64_t now_ns);
  uint64_t horizon_ns(uint64_t now_ns) const;
  void release_until(uint64_t horizon_ns, const Visitor& visit);
  size_t release_run(Source& source, uint64_t horizon_ns, const Visitor& visit);

  OrderingSettings settings_;
  uint64_t window_ns_;
  uint64_t window_changed_ns_ = 0;
  size_t slaves_ = 0;
  std::optional<uint64_t> expected_ns_;
  uint64_t released_ns_ = 0;  // the youngest time released so far
  uint64_t late_events_ = 0;
  size_t held_bytes_ = 0;
  std::map<SourceId, Source> sources_;
  std::vector<Source*> heap_;  // sources with something held, the oldest first
  std::vector<Drained> drained_;
};

}  // namespace sidrec::link
