#include <gtest/gtest.h>

#include <random>

#include "link_events.h"
#include "recorder/link/messages.h"
#include "recorder/link/ordering.h"

namespace sidrec::link {
namespace {

struct Written {
  std::string rec;
  uint64_t time_ns;
  uint64_t pos;
  bool late;
};

// Sources 1, 2, 3, named "r1", "r2", "r3", that joined at time 0; two of them slaves.
struct Queue {
  Ordering ordering;
  std::vector<Written> written;

  explicit Queue(OrderingSettings settings = {}) : ordering(settings) {
    for (Ordering::SourceId source = 1; source <= 3; ++source) {
      ordering.add_source(source, rec_named(source), 0);
    }
    ordering.set_slaves(2);
  }
  void add(Ordering::SourceId source, std::vector<uint64_t> times_ns, uint64_t now_ns, uint64_t first_pos = 1) {
    ASSERT_TRUE(ordering.add_frame(source, frame_of(std::move(times_ns), first_pos), now_ns));
  }
  Ordering::Visitor writer() {
    return [this](const Ordering::Released& released) {
      written.push_back({std::string(released.rec), released.event->time_ns, released.event->pos, released.late});
    };
  }
  // The times of what is released at `now`.
  std::vector<uint64_t> release(uint64_t now_ns) {
    written.clear();
    ordering.release(now_ns, writer());
    std::vector<uint64_t> times;
    for (const Written& event : written) times.push_back(event.time_ns);
    return times;
  }
  bool any_late() const {
    return std::any_of(written.begin(), written.end(), [](const Written& event) { return event.late; });
  }
};
using Times = std::vector<uint64_t>;

TEST(LinkOrdering, events_of_several_recorders_leave_in_order_of_time) {
  Queue queue;
  queue.add(1, {ms(1), ms(4), ms(5)}, ms(6));
  queue.add(2, {ms(2), ms(6)}, ms(6));
  queue.add(3, {ms(3)}, ms(6));
  EXPECT_EQ(queue.release(ms(100)), (Times{ms(1), ms(2), ms(3), ms(4), ms(5), ms(6)}));
  EXPECT_FALSE(queue.any_late());
  EXPECT_TRUE(queue.ordering.empty());
}

TEST(LinkOrdering, equal_times_leave_in_order_of_recorder) {
  Queue queue;
  queue.add(3, {ms(1), ms(1)}, ms(2));
  queue.add(1, {ms(1)}, ms(2));
  queue.release(ms(100));
  ASSERT_EQ(queue.written.size(), 3u);
  EXPECT_EQ(queue.written[0].rec, "r1");
  EXPECT_EQ(queue.written[1].pos, 1u);
  EXPECT_EQ(queue.written[2].pos, 2u);
  EXPECT_FALSE(queue.any_late());
}

TEST(LinkOrdering, what_is_younger_than_the_window_is_held_back) {
  Queue queue;
  queue.add(1, {ms(100)}, ms(101));
  EXPECT_EQ(queue.ordering.next_release_ns(), ms(120));
  EXPECT_EQ(queue.release(ms(120) - 1), Times{});
  EXPECT_EQ(queue.release(ms(120)), Times{ms(100)});
  EXPECT_FALSE(queue.ordering.next_release_ns());
}

TEST(LinkOrdering, without_slaves_nothing_is_held_back) {
  Queue queue;
  queue.ordering.set_slaves(0);
  queue.add(1, {ms(100)}, ms(100));
  EXPECT_EQ(queue.ordering.next_release_ns(), 0u);
  EXPECT_EQ(queue.release(ms(100)), Times{ms(100)});
}

TEST(LinkOrdering, data_that_is_expected_and_older_extends_the_window_up_to_its_bound) {
  Queue queue;
  queue.add(1, {ms(100)}, ms(101));
  queue.ordering.set_expected(ms(90));
  EXPECT_EQ(queue.release(ms(300)), Times{});
  queue.add(2, {ms(90)}, ms(301));
  queue.ordering.set_expected(std::nullopt);
  EXPECT_EQ(queue.release(ms(301)), (Times{ms(90), ms(100)}));
  EXPECT_FALSE(queue.any_late());

  queue.add(1, {ms(400)}, ms(401));
  queue.ordering.set_expected(ms(390));
  EXPECT_EQ(queue.ordering.next_release_ns(), ms(900));
  EXPECT_EQ(queue.release(ms(900) - 1), Times{});
  EXPECT_EQ(queue.release(ms(900)), Times{ms(400)});
}

TEST(LinkOrdering, data_that_is_expected_and_younger_holds_nothing_up) {
  Queue queue;
  queue.add(1, {ms(100)}, ms(101));
  queue.ordering.set_expected(ms(100));
  EXPECT_EQ(queue.release(ms(120)), Times{ms(100)});
}

TEST(LinkOrdering, what_comes_too_late_leaves_at_once_and_says_so) {
  Queue queue;
  queue.add(1, {ms(100)}, ms(101));
  queue.release(ms(130));
  queue.add(2, {ms(99), ms(125)}, ms(131));
  EXPECT_EQ(queue.release(ms(131)), Times{ms(99)});
  EXPECT_TRUE(queue.any_late());
  EXPECT_EQ(queue.ordering.late_events(), 1u);
  EXPECT_EQ(queue.release(ms(170)), Times{ms(125)});
  EXPECT_FALSE(queue.any_late());
}

TEST(LinkOrdering, the_same_time_as_the_last_one_is_not_late) {
  Queue queue;
  queue.add(1, {ms(100)}, ms(101));
  queue.release(ms(130));
  queue.add(2, {ms(100)}, ms(131));
  EXPECT_EQ(queue.release(ms(131)), Times{ms(100)});
  EXPECT_FALSE(queue.any_late());
}

TEST(LinkOrdering, what_the_master_wrote_past_the_queue_makes_older_events_late) {
  Queue queue;
  queue.ordering.note_direct(ms(100));
  queue.add(2, {ms(99)}, ms(101));
  EXPECT_EQ(queue.release(ms(101)), Times{ms(99)});
  EXPECT_TRUE(queue.any_late());
}

TEST(LinkOrdering, late_frames_double_the_window_up_to_its_bound_and_calm_halves_it) {
  Queue queue;
  uint64_t now = ms(1000);
  std::vector<uint64_t> windows;
  for (int round = 0; round < 6; ++round) {
    queue.ordering.note_direct(now);
    queue.add(2, {now - 1, now - 1}, now);
    windows.push_back(queue.ordering.window_ns() / kMillisecond);
    queue.release(now);
    now += ms(1);
  }
  EXPECT_EQ(windows, (std::vector<uint64_t>{40, 80, 160, 320, 500, 500}));
  const uint64_t last_late = now - ms(1);
  queue.release(last_late + 5 * kSecond - 1);
  EXPECT_EQ(queue.ordering.window_ns(), ms(500));
  queue.release(last_late + 5 * kSecond);
  EXPECT_EQ(queue.ordering.window_ns(), ms(250));
  for (uint64_t halving = 2; halving < 10; ++halving) queue.release(last_late + halving * 5 * kSecond);
  EXPECT_EQ(queue.ordering.window_ns(), ms(20));
}

TEST(LinkOrdering, lateness_from_before_its_recorder_joined_widens_nothing) {
  Queue queue;
  queue.ordering.note_direct(ms(1000));
  queue.ordering.add_source(9, "r9", ms(1000));
  queue.add(9, {ms(990)}, ms(1001));
  EXPECT_EQ(queue.ordering.window_ns(), ms(20));
  EXPECT_EQ(queue.release(ms(1001)), Times{ms(990)});
  EXPECT_TRUE(queue.any_late());
}

TEST(LinkOrdering, one_recorders_events_never_change_their_order) {
  Queue queue;
  queue.add(1, {ms(10), ms(5), ms(12)}, ms(13), 1);
  queue.add(1, {ms(11)}, ms(14), 4);
  queue.add(2, {ms(7), ms(11)}, ms(14));
  queue.release(ms(100));
  std::vector<uint64_t> positions;
  for (const auto& event : queue.written) {
    if (event.rec == "r1") positions.push_back(event.pos);
  }
  EXPECT_EQ(positions, (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(queue.ordering.late_events(), 2u) << "its time 5 after 10, its time 11 after 12";
}

TEST(LinkOrdering, a_clock_from_the_future_holds_nothing_for_ever) {
  Queue queue;
  queue.add(1, {ms(1'000'000)}, ms(100));
  queue.add(2, {ms(110)}, ms(111));
  EXPECT_EQ(queue.release(ms(131)), (Times{ms(1'000'000), ms(110)}));
  EXPECT_FALSE(queue.any_late()) << "nor does it make all others late";
}

TEST(LinkOrdering, malformed_frames_are_refused_whole) {
  Queue queue;
  std::string frame = frame_of({ms(1), ms(2)});
  EXPECT_FALSE(queue.ordering.add_frame(1, frame.substr(0, frame.size() - 8), ms(3)));
  EXPECT_FALSE(queue.ordering.add_frame(1, "", ms(3)));
  std::string kind = frame;
  kind[80 + 4] = 99;
  const auto refused = queue.ordering.add_frame(1, kind, ms(3));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "malformed event at byte 80 of a frame");
  std::string lane;
  add_event(lane, ms(1), 1, 8, kMaxLanes);
  EXPECT_FALSE(queue.ordering.add_frame(1, lane, ms(3)));
  lane.clear();
  add_event(lane, ms(1), 1, 8, kMaxLanes - 1);
  EXPECT_TRUE(queue.ordering.add_frame(1, lane, ms(3)));
  EXPECT_FALSE(queue.ordering.add_frame(77, frame, ms(3))) << "an unknown source";
  EXPECT_EQ(queue.release(ms(100)), Times{ms(1)});
}

TEST(LinkOrdering, a_source_that_left_is_released_and_then_forgotten) {
  Queue queue;
  queue.add(2, {ms(100)}, ms(101));
  queue.ordering.remove_source(2);
  EXPECT_FALSE(queue.ordering.add_frame(2, frame_of({ms(102)}), ms(103)));
  EXPECT_EQ(queue.release(ms(200)), Times{ms(100)});
  queue.ordering.add_source(2, "r2", ms(200));
  EXPECT_TRUE(queue.ordering.add_frame(2, frame_of({ms(201)}), ms(202)));
}

TEST(LinkOrdering, bytes_are_accounted_for_by_source) {
  Queue queue;
  queue.add(1, {ms(1), ms(3)}, ms(4));
  queue.add(2, {ms(2)}, ms(4));
  EXPECT_EQ(queue.ordering.held_bytes(), 3 * 80u);
  EXPECT_EQ(queue.ordering.held_bytes(1), 2 * 80u);
  std::map<Ordering::SourceId, size_t> drained;
  for (const auto& run : queue.ordering.release(ms(100), queue.writer())) drained[run.source] += run.bytes;
  EXPECT_EQ(drained, (std::map<Ordering::SourceId, size_t>{{1, 2 * 80}, {2, 80}}));
  EXPECT_EQ(queue.ordering.held_bytes(), 0u);
}

TEST(LinkOrdering, release_all_leaves_nothing_whatever_its_age) {
  Queue queue;
  queue.add(1, {ms(100)}, ms(100));
  queue.ordering.set_expected(ms(1));
  queue.ordering.release_all(queue.writer());
  EXPECT_EQ(queue.written.size(), 1u);
  EXPECT_TRUE(queue.ordering.empty());
}

TEST(LinkOrdering, within_the_window_no_interleaving_of_frames_makes_anything_late) {
  std::mt19937 random(7);
  Queue queue;
  uint64_t now = ms(1000);
  uint64_t next_pos[4] = {0, 1, 1, 1};
  uint64_t last_time[4] = {};
  size_t added = 0;
  std::vector<Written> all;
  for (int round = 0; round < 5000; ++round, now += random() % ms(3)) {
    const Ordering::SourceId source = 1 + random() % 3;
    std::vector<uint64_t> times;
    // What its source recorded in the last 6 ms: all of it is younger than the window.
    for (uint64_t time = std::max(now - random() % ms(6), last_time[source]); time < now;
         time += 1 + random() % ms(2)) {
      times.push_back(time);
    }
    if (times.empty()) continue;
    last_time[source] = times.back();
    added += times.size();
    const uint64_t first_pos = next_pos[source];
    next_pos[source] += times.size();
    queue.add(source, times, now, first_pos);
    queue.release(now);
    all.insert(all.end(), queue.written.begin(), queue.written.end());
  }
  queue.release(now + kSecond);
  all.insert(all.end(), queue.written.begin(), queue.written.end());
  ASSERT_EQ(all.size(), added);
  std::map<std::string, uint64_t> last_pos;
  uint64_t newest = 0;
  for (const Written& event : all) {
    EXPECT_EQ(event.pos, ++last_pos[event.rec]);
    EXPECT_FALSE(event.late);
    EXPECT_GE(event.time_ns, std::exchange(newest, event.time_ns));
  }
}

}  // namespace
}  // namespace sidrec::link
