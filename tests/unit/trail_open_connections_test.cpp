#include "recorder/trail/open_connections.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

const CountsLine kAll = [](uint32_t, uint64_t) { return true; };

struct OpenConnectionsOfATrail : ::testing::Test {
  TempDir store;
  Trail trail{store.path(), kSid};

  void SetUp() override { ASSERT_OK(trail.begin(identity(), master("r1"), 0)); }
  void write(std::string_view rec, const TestEvent& event) { trail.append(rec, event, false); }
  OpenConnections found(std::string_view rec, const CountsLine& counts) {
    EXPECT_TRUE(trail.commit(0));
    return *open_connections(trail.file(), rec, counts);
  }
};

TEST_F(OpenConnectionsOfATrail, are_those_not_closed_with_what_was_told_of_them) {
  write("r1", opened({.pos = 64, .conn = 1}));
  write("r1", opened({.pos = 128, .conn = 2}));
  write("r1", data({.pos = 192, .conn = 2}, Direction::kIn, 0, "hello"));
  write("r1", closed({.pos = 256, .conn = 1}, {}));
  const auto seen = found("r1", kAll);
  ASSERT_EQ(seen.open.size(), 1u);
  EXPECT_EQ(seen.open[0].conn, 2u);
  EXPECT_EQ(seen.open[0].rec, "r1");
  EXPECT_EQ(seen.open[0].facts.client_port, 50122);
  EXPECT_STREQ(seen.open[0].facts.program, "socat");
  EXPECT_EQ(seen.open[0].flow.offset[0], 5u);
  EXPECT_EQ(seen.open[0].flow.offset[1], 0u);
  EXPECT_EQ(seen.in_trail, (std::map<uint32_t, uint64_t>{{0, 256}}));
}

// The record at 5:64 will be told again, and is recognised then; what comes after it must get the right offset.
TEST_F(OpenConnectionsOfATrail, have_the_sum_of_what_will_not_be_told_again_as_their_offset) {
  write("r1", opened({.pos = 64}));
  write("r1", data({.lane = 5, .pos = 64}, Direction::kIn, 0, "three"));
  write("r1", data({.lane = 0, .pos = 128}, Direction::kIn, 5, "one"));
  const auto seen = found("r1", [](uint32_t lane, uint64_t) { return lane == 0; });
  ASSERT_EQ(seen.open.size(), 1u);
  EXPECT_EQ(seen.open[0].flow.offset[0], 3u);
}

TEST_F(OpenConnectionsOfATrail, are_one_recorders_or_everybodys) {
  write("r1", opened({.pos = 64, .conn = 1}));
  write("r2", opened({.pos = 64, .conn = 1}));
  EXPECT_EQ(found("r2", kAll).open.size(), 1u);
  EXPECT_EQ(found("", kAll).open.size(), 2u);
}

TEST_F(OpenConnectionsOfATrail, are_closed_as_recovered_when_nobody_is_left) {
  write("r1", opened({.pos = 64}));
  write("r2", opened({.pos = 64}));
  write("r1", data({.pos = 128}, Direction::kOut, 0, "kept"));
  ASSERT_OK(trail.commit(0));
  ASSERT_OK(trail.close_left_open(kSecond));
  ASSERT_OK(trail.end(kSecond, "recovered"));
  const auto lines = json_lines(contents(trail.file()));
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[4]["ev"], "conn.close");
  EXPECT_EQ(lines[4]["rec"], "r1");
  EXPECT_EQ(lines[4]["bytes_out"], 4);
  EXPECT_EQ(lines[4]["why"], "recovered");
  EXPECT_TRUE(lines[4]["complete"].is_null());
  EXPECT_EQ(lines[5]["rec"], "r2");
  EXPECT_EQ(lines[6]["ev"], "session.end");
}

TEST(OpenConnections, note_what_was_kept_outside_the_trail_and_not_what_is_in_it) {
  OpenConnections told;
  told.in_trail[0] = 128;
  told.note(opened({.pos = 128}));
  EXPECT_TRUE(told.open.empty());
  told.note(opened({.pos = 192}));
  told.note(data({.pos = 256}, Direction::kOut, 0, "kept"));
  ASSERT_EQ(told.open.size(), 1u);
  EXPECT_EQ(told.open[0].flow.offset[1], 4u);
  told.note(closed({.pos = 320}, {}));
  EXPECT_TRUE(told.open.empty());
}

}  // namespace
}  // namespace sidrec::trail_test
