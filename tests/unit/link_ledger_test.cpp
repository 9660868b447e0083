#include <gtest/gtest.h>

#include "link_events.h"
#include "recorder/link/ledger.h"

namespace sidrec::link {
namespace {

TEST(LinkLedger, an_event_is_new_once) {
  Ledger ledger;
  RecMarks& marks = ledger.of("r1");
  EXPECT_TRUE(marks.admit(data_event(1, 64)));
  EXPECT_FALSE(marks.admit(data_event(1, 64)));
  EXPECT_FALSE(marks.admit(data_event(1, 32)));
  EXPECT_TRUE(marks.admit(data_event(2, 65)));
  EXPECT_TRUE(marks.admit(data_event(1, 64, 8, 1))) << "another lane";
  EXPECT_TRUE(ledger.of("r2").admit(data_event(1, 64))) << "another recorder";
}

TEST(LinkLedger, an_event_at_position_zero_is_new_in_an_unknown_lane) {
  Ledger ledger;
  EXPECT_TRUE(ledger.of("r1").admit(data_event(1, 0)));
  EXPECT_FALSE(ledger.of("r1").admit(data_event(1, 0)));
}

TEST(LinkLedger, what_the_store_held_before_is_not_new) {
  Ledger ledger(Watermarks{{{"r1", 0}, 100}, {{"r1", kNoLane}, 7}});
  EXPECT_FALSE(ledger.of("r1").admit(data_event(1, 100)));
  EXPECT_TRUE(ledger.of("r1").admit(data_event(1, 101)));
  EXPECT_FALSE(ledger.of("r1").admit(host_died(1, 7)));
  EXPECT_TRUE(ledger.of("r1").admit(host_died(1, 6))) << "connections have no order";
}

TEST(LinkLedger, commits_hold_every_lane_and_are_owed_once) {
  Ledger ledger;
  RecMarks& marks = ledger.of("r1");
  EXPECT_TRUE(marks.take_commits().empty());
  marks.admit(data_event(1, 64));
  marks.admit(data_event(2, 32, 8, 3));
  marks.admit(host_died(3, 9));
  EXPECT_TRUE(marks.owes_commit());
  const auto commits = marks.take_commits();
  ASSERT_EQ(commits.size(), 1u);
  EXPECT_EQ(commits[0].marks, (std::vector<CommitMark>{{0, 64}, {3, 32}, {kNoLane, 9}}));
  EXPECT_TRUE(marks.take_commits().empty());
  marks.admit(data_event(4, 65));
  EXPECT_EQ(marks.take_commits().at(0).marks, (std::vector<CommitMark>{{0, 65}, {3, 32}}));
}

TEST(LinkLedger, what_comes_twice_is_acknowledged_twice) {
  Ledger ledger;
  RecMarks& marks = ledger.of("r1");
  marks.admit(host_died(1, 9));
  marks.take_commits();
  EXPECT_FALSE(marks.admit(host_died(1, 9)));
  EXPECT_EQ(marks.take_commits().at(0).marks, (std::vector<CommitMark>{{kNoLane, 9}}));
}

TEST(LinkLedger, acknowledgements_go_to_the_newest_connection_whoever_is_heard_last) {
  Ledger ledger;
  RecMarks& marks = ledger.of("r1");
  marks.set_reader(2);
  marks.set_reader(1);  // its predecessor had died before its HELLO was heard
  EXPECT_EQ(marks.reader(), 2u);
  marks.set_reader(3);
  EXPECT_EQ(marks.reader(), 3u);
}

TEST(LinkLedger, marks_beyond_one_message_go_into_the_next) {
  Ledger ledger;
  RecMarks& marks = ledger.of("r1");
  for (uint64_t conn = 0; conn < kMaxCommits; ++conn) marks.admit(host_died(1, conn));
  EXPECT_EQ(marks.take_commits().size(), 1u);
  for (uint64_t conn = 0; conn <= kMaxCommits; ++conn) marks.admit(host_died(1, conn));
  const auto commits = marks.take_commits();
  ASSERT_EQ(commits.size(), 2u);
  for (const Commit& commit : commits) EXPECT_TRUE(decode(encode(commit)));
  EXPECT_EQ(commits[1].marks.size(), 1u);
}

}  // namespace
}  // namespace sidrec::link
