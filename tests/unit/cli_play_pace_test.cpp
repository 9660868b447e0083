// The player's timing plan, and its keys.
#include <gtest/gtest.h>

#include "recorder/base/clock.h"
#include "recorder/cli/pace.h"
#include "recorder/cli/player_keys.h"

namespace sidrec::cli {
namespace {

constexpr uint64_t kStart = 77 * kSecond;  // on the player's clock

struct PlayPace : ::testing::Test {
  // Shows an event of that recorded time as soon as it is due, and returns when that is.
  uint64_t shown_after(Pace& pace, uint64_t recorded_ns) {
    pace.next(recorded_ns);
    now += pace.left_ns().value_or(kNever);
    pace.clock(now);
    EXPECT_EQ(pace.left_ns(), 0u);
    return now - kStart;
  }
  void passes(Pace& pace, uint64_t ns) { pace.clock(now += ns); }

  static constexpr uint64_t kNever = 1000 * kSecond;
  uint64_t now = kStart;
};

TEST_F(PlayPace, keeps_the_recorded_pauses) {
  Pace pace(1, 10 * kSecond, now);
  EXPECT_EQ(shown_after(pace, 2 * kSecond), 2 * kSecond);
  EXPECT_EQ(shown_after(pace, 2 * kSecond), 2 * kSecond);
  EXPECT_EQ(shown_after(pace, 5 * kSecond), 5 * kSecond);
}

TEST_F(PlayPace, divides_them_by_the_speed) {
  Pace fast(4, 10 * kSecond, now);
  EXPECT_EQ(shown_after(fast, 2 * kSecond), kSecond / 2);
  now = kStart;
  Pace slow(0.5, 10 * kSecond, now);
  EXPECT_EQ(shown_after(slow, 2 * kSecond), 4 * kSecond);
  now = kStart;
  Pace none(0, 10 * kSecond, now);
  EXPECT_EQ(shown_after(none, 2 * kSecond), 0u);
}

TEST_F(PlayPace, cuts_long_pauses_before_they_are_divided) {
  Pace pace(2, 3 * kSecond, now);
  EXPECT_EQ(shown_after(pace, 3600 * kSecond), 3 * kSecond / 2);
  EXPECT_EQ(shown_after(pace, 3602 * kSecond), 5 * kSecond / 2);
}

TEST_F(PlayPace, changes_its_speed_in_the_middle_of_a_pause) {
  Pace pace(1, 100 * kSecond, now);
  pace.next(8 * kSecond);
  passes(pace, 4 * kSecond);
  pace.faster();
  EXPECT_EQ(pace.left_ns(), 2 * kSecond);
  pace.slower();
  pace.slower();
  EXPECT_EQ(pace.left_ns(), 8 * kSecond);
}

TEST_F(PlayPace, stands_still_while_it_is_paused) {
  Pace pace(1, 100 * kSecond, now);
  pace.next(8 * kSecond);
  passes(pace, 3 * kSecond);
  pace.pause_or_go_on();
  EXPECT_EQ(pace.left_ns(), std::nullopt);
  passes(pace, 500 * kSecond);
  pace.pause_or_go_on();
  EXPECT_EQ(pace.left_ns(), 5 * kSecond);
}

TEST_F(PlayPace, steps_event_by_event) {
  Pace pace(1, 100 * kSecond, now);
  pace.next(8 * kSecond);
  pace.step();
  EXPECT_EQ(pace.left_ns(), 0u);
  pace.next(8 * kSecond);
  EXPECT_EQ(pace.left_ns(), std::nullopt) << "also what came at the same time";
  pace.step();
  EXPECT_EQ(pace.left_ns(), 0u);
  pace.next(10 * kSecond);
  pace.pause_or_go_on();
  EXPECT_EQ(pace.left_ns(), 2 * kSecond);
}

TEST_F(PlayPace, adds_up_no_late_wake_ups_and_makes_up_for_no_long_delay) {
  Pace pace(1, 100 * kSecond, now);
  pace.next(kSecond);
  passes(pace, kSecond + 5 * kMillisecond);
  pace.next(2 * kSecond);
  EXPECT_EQ(pace.left_ns(), kSecond - 5 * kMillisecond);
  passes(pace, 3600 * kSecond);
  pace.next(3 * kSecond);
  EXPECT_EQ(pace.left_ns(), kSecond);
}

TEST(PlayKeys, are_the_documented_ones) {
  PlayerKeys keys;
  EXPECT_EQ(keys.read(" +-.q"), (std::vector<Key>{Key::kPause, Key::kFaster, Key::kSlower, Key::kStep, Key::kQuit}));
  EXPECT_TRUE(keys.read("xyz\r\n\t0").empty());
}

TEST(PlayKeys, are_not_what_a_terminal_answers) {
  PlayerKeys keys;
  for (const char* answer : {"\x1b[?64;1;2c", "\x1b[24;80R", "\x1bP>|quick-term 1.2+3\x1b\\", "\x1b]11;rgb:q q/.+\x07",
                             "\x1bOq", "\x1b_q.q\x1b\\"}) {
    EXPECT_TRUE(keys.read(answer).empty()) << answer + 1;
    EXPECT_EQ(keys.read("q"), std::vector<Key>{Key::kQuit}) << answer + 1;
  }
}

TEST(PlayKeys, an_answer_may_come_in_pieces) {
  PlayerKeys keys;
  EXPECT_TRUE(keys.read("\x1b").empty());
  EXPECT_TRUE(keys.read("]0;q").empty());
  EXPECT_TRUE(keys.read(".q\x1b").empty());
  EXPECT_EQ(keys.read("\\q").size(), 1u);
}

}  // namespace
}  // namespace sidrec::cli
