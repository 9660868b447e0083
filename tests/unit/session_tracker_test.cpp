#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <vector>

#include "recorder/session/connection_tracker.h"
#include "tests/unit/ring_producer.h"

namespace sidrec::test {
namespace {

struct Seen {
  OwnerId owner;
  EventHeader header;
  std::string payload;
};

class SessionTracker : public testing::Test, public ConnectionTracker::Sink {
 protected:
  OwnerId owner_unknown() override { return kNobody; }  // no template here needs to wait
  void settle(OwnerId, const std::string&) override {}
  OwnerId owner_of(const std::string& sid) override {
    sids.push_back(sid);
    return sids.size();
  }
  void event(OwnerId owner, const EventHeader& header, std::string_view payload) override {
    seen.push_back({owner, header, std::string(payload)});
  }

  OwnerId take(ring::RecordHeader header, std::string_view payload = {}) {
    header.payload = static_cast<uint32_t>(payload.size());
    pos += 64;
    return tracker.take({3, pos, header, payload});
  }
  void open(uint64_t conn = 1, uint32_t pid = 7) { take(record(ring::kOpen, ++time, conn, pid), bytes_of(client)); }
  void data(std::string_view bytes, ring::Direction dir = ring::kIn, uint64_t conn = 1) {
    auto header = record(ring::kData, ++time, conn);
    header.dir = dir;
    take(header, bytes);
  }
  void release(ring::Release counts = {}, uint32_t pid = 7, ring::ReleaseWhy why = ring::kClosed) {
    auto header = record(ring::kRelease, ++time, 1, pid);
    header.why = why;
    take(header, bytes_of(counts));
  }
  std::vector<EventKind> kinds() const {
    std::vector<EventKind> all;
    for (const Seen& each : seen) all.push_back(each.header.kind);
    return all;
  }
  ConnClose close_facts() const {
    ConnClose close{};
    std::memcpy(&close, seen.back().payload.data(), sizeof close);
    return close;
  }
  using Kinds = std::vector<EventKind>;

  ring::Open client = some_client();
  uint64_t pos = 0, time = 1000;
  bool held = true;
  int asked = 0;
  std::vector<std::string> sids;
  std::vector<Seen> seen;
  ConnectionTracker tracker{{"{client_ip}", "victim", ""}, {7, "victim", "default"}, *this, [this](uint64_t, const ConnOpen&) {
                              ++asked;
                              return held;
                            }};
};

constexpr auto kOpen = EventKind::kConnOpen;
constexpr auto kData = EventKind::kData;
constexpr auto kGap = EventKind::kGap;
constexpr auto kClose = EventKind::kConnClose;

TEST_F(SessionTracker, a_connection_opens_once_and_names_its_session) {
  open(), open();
  ASSERT_EQ(kinds(), (Kinds{kOpen}));
  EXPECT_EQ(sids, std::vector<std::string>{"198.51.100.9"});
  EXPECT_EQ(seen[0].header.pos, 64u);
  EXPECT_EQ(seen[0].header.lane, 3u);
  ConnOpen facts{};
  std::memcpy(&facts, seen[0].payload.data(), sizeof facts);
  EXPECT_EQ(std::string(facts.program), "victim");
  EXPECT_EQ(std::string(facts.sid_source), "default");
  EXPECT_EQ(facts.pid, 7u);
  EXPECT_EQ(facts.client_port, 50122);
}

TEST_F(SessionTracker, offsets_are_dense_in_each_direction_and_gaps_count) {
  open(), data("hello"), data("ok", ring::kOut);
  const ring::Gap lost{100, 3};
  auto gap = record(ring::kGap, ++time);
  gap.why = ring::kSplice;
  take(gap, bytes_of(lost));
  data("there");
  ASSERT_EQ(kinds(), (Kinds{kOpen, kData, kData, kGap, kData}));
  EXPECT_EQ(seen[2].header.off, 0u);
  EXPECT_EQ(seen[3].header.off, 5u);
  EXPECT_EQ(seen[3].header.len, 100u);
  EXPECT_EQ(seen[3].header.records, 3u);
  EXPECT_EQ(static_cast<GapWhy>(seen[3].header.why), GapWhy::kSplice);
  EXPECT_EQ(seen[4].header.off, 105u);
  release();
  EXPECT_EQ(close_facts().bytes_in, 110u);
  EXPECT_EQ(close_facts().missing_in, 100u);
  EXPECT_EQ(close_facts().bytes_out, 2u);
}

TEST_F(SessionTracker, a_gap_of_nothing_is_nothing) {
  open();
  EXPECT_EQ(take(record(ring::kGap, ++time), bytes_of(ring::Gap{0, 1})), kNobody);
  EXPECT_EQ(kinds(), (Kinds{kOpen}));
}

TEST_F(SessionTracker, data_of_an_unknown_connection_opens_it_with_a_position_of_its_own) {
  data("x");
  ASSERT_EQ(kinds(), (Kinds{kOpen, kData}));
  EXPECT_LT(seen[0].header.pos, seen[1].header.pos);
  EXPECT_EQ(sids, std::vector<std::string>{"-"});
}

TEST_F(SessionTracker, it_closes_when_the_last_descriptor_is_released) {
  open();
  take(record(ring::kHold, ++time));
  release();
  EXPECT_EQ(kinds(), (Kinds{kOpen}));
  release({}, 7, ring::kExited);
  ASSERT_EQ(kinds(), (Kinds{kOpen, kClose}));
  EXPECT_EQ(static_cast<CloseWhy>(seen[1].header.why), CloseWhy::kExited);
  EXPECT_EQ(seen[1].header.pos, pos);
  EXPECT_EQ(asked, 0);
}

TEST_F(SessionTracker, another_process_that_opens_it_holds_it_too) {
  open(1, 7), open(1, 8);
  release({}, 7);
  EXPECT_EQ(kinds(), (Kinds{kOpen}));
  release({}, 8);
  EXPECT_EQ(kinds(), (Kinds{kOpen, kClose}));
}

TEST_F(SessionTracker, a_release_by_someone_unknown_does_not_close) {
  open();
  release({}, 99);
  EXPECT_EQ(kinds(), (Kinds{kOpen}));
}

TEST_F(SessionTracker, after_a_fork_the_kernel_is_asked_until_nobody_holds_it) {
  open();
  take(record(ring::kFork, ++time));
  release();
  EXPECT_EQ(kinds(), (Kinds{kOpen}));
  for (int turn = 0; turn < 4; ++turn) {
    ASSERT_TRUE(tracker.deadline_ns());
    tracker.on_timer(*tracker.deadline_ns() - 1);
    EXPECT_EQ(asked, turn);
    tracker.on_timer(*tracker.deadline_ns());
  }
  held = false;
  tracker.on_timer(*tracker.deadline_ns());
  EXPECT_EQ(kinds(), (Kinds{kOpen})) << "what the last holder wrote may still be in the ring";
  tracker.on_timer(*tracker.deadline_ns());
  ASSERT_EQ(kinds(), (Kinds{kOpen, kClose}));
  EXPECT_EQ(seen[1].header.lane, kNoLane);
  EXPECT_EQ(seen[1].header.pos, 1u);
  EXPECT_EQ(static_cast<CloseWhy>(seen[1].header.why), CloseWhy::kClosed);
  EXPECT_FALSE(tracker.deadline_ns());
}

TEST_F(SessionTracker, bytes_in_the_ring_when_the_kernel_says_nobody_holds_it_come_before_the_close) {
  held = false;
  open();
  take(record(ring::kFork, ++time));
  release();
  tracker.on_timer(*tracker.deadline_ns());
  data("the child's last words");
  tracker.on_timer(*tracker.deadline_ns());
  EXPECT_EQ(kinds(), (Kinds{kOpen, kData, kClose}));
}

TEST_F(SessionTracker, a_write_has_happened_when_it_began_but_not_before_what_was_told) {
  open();
  auto header = record(ring::kData, 20'000'000);
  header.age_ns = 3'000'000;
  take(header, "slow");
  EXPECT_EQ(seen.back().header.time_ns, 17'000'000u);
  header.time_ns = 20'000'001;
  header.age_ns = 9'000'000;
  take(header, "slower");
  EXPECT_EQ(seen.back().header.time_ns, 17'000'000u);
  header.time_ns = 90'000'000;
  header.age_ns = 80'000'000;
  take(header, "older than allowed");
  EXPECT_EQ(seen.back().header.time_ns, 90'000'000u - ring::kMaxAgeNs);
}

TEST_F(SessionTracker, a_fork_of_one_process_concerns_only_what_it_holds) {
  open(1, 7), open(2, 7);
  take(record(ring::kRelease, ++time, 2), bytes_of(ring::Release{}));
  take(record(ring::kFork, ++time));
  open(3, 7);
  take(record(ring::kRelease, ++time, 3), bytes_of(ring::Release{}));
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(kinds(), (Kinds{kOpen, kOpen, kClose, kOpen, kClose}));
}

TEST_F(SessionTracker, a_descriptor_passed_away_makes_the_kernel_be_asked) {
  held = false;
  open();
  take(record(ring::kShared, ++time));
  release();
  tracker.on_timer(*tracker.deadline_ns());
  EXPECT_EQ(asked, 1);
  tracker.on_timer(*tracker.deadline_ns());
  EXPECT_EQ(kinds(), (Kinds{kOpen, kClose}));
}

TEST_F(SessionTracker, a_connection_that_comes_back_after_the_kernels_answer_stays_open) {
  held = false;
  open();
  take(record(ring::kShared, ++time));
  release();
  tracker.on_timer(*tracker.deadline_ns());
  held = true;
  open();
  tracker.on_timer(*tracker.deadline_ns());
  EXPECT_EQ(kinds(), (Kinds{kOpen}));
  EXPECT_EQ(tracker.open_connections(), 1u);
  release();
  held = false;
  tracker.on_timer(*tracker.deadline_ns());
  tracker.on_timer(*tracker.deadline_ns());
  EXPECT_EQ(kinds(), (Kinds{kOpen, kClose}));
}

TEST_F(SessionTracker, data_goes_on_while_the_kernel_is_asked) {
  open();
  take(record(ring::kFork, ++time));
  release();
  data("from the child");
  EXPECT_EQ(kinds(), (Kinds{kOpen, kData}));
}

TEST_F(SessionTracker, after_a_loss_a_connection_that_nobody_holds_is_closed_and_others_are_left_alone) {
  open(), data("12345");
  auto gap = record(ring::kGap, ++time);
  gap.why = ring::kOverflow;
  take(gap, bytes_of(ring::Gap{100, 1}));
  tracker.on_timer(time + ConnectionTracker::kSilentNs - 1);
  EXPECT_EQ(asked, 0);
  tracker.on_timer(time + ConnectionTracker::kSilentNs);
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(tracker.deadline_ns()) << "somebody holds it";
  EXPECT_EQ(tracker.open_connections(), 1u);
  held = false;
  take(gap, bytes_of(ring::Gap{100, 1}));
  tracker.on_timer(*tracker.deadline_ns());
  tracker.on_timer(*tracker.deadline_ns());
  EXPECT_EQ(kinds().back(), kClose);
}

TEST_F(SessionTracker, the_kernels_counts_are_passed_on_with_what_they_are_worth) {
  struct Case {
    ring::Release counts;
    bool in_known;
  };
  // Five bytes came in; a FIN may have been counted where certainty is 2.
  for (const auto& [counts, known] :
       {Case{{5, 0, 0, 0, {}}, false}, Case{{5, 0, 1, 0, {}}, true}, Case{{9, 0, 1, 0, {}}, true},
        Case{{5, 0, 2, 0, {}}, true}, Case{{6, 0, 2, 0, {}}, false}, Case{{9, 0, 2, 0, {}}, true}}) {
    open(), data("12345"), release(counts);
    EXPECT_EQ(close_facts().kernel_in_known, known) << counts.kernel_in << " " << int{counts.in_known};
    EXPECT_EQ(close_facts().kernel_bytes_in, counts.kernel_in);
  }
}

TEST_F(SessionTracker, the_hosts_death_closes_what_is_open) {
  open(1), open(2);
  take(record(ring::kFork, ++time));
  release({}, 7, ring::kExited);
  tracker.host_died(5000);
  ASSERT_EQ(kinds(), (Kinds{kOpen, kOpen, kClose, kClose}));
  EXPECT_EQ(seen[2].header.conn, 1u);
  EXPECT_EQ(static_cast<CloseWhy>(seen[2].header.why), CloseWhy::kExited);
  EXPECT_EQ(static_cast<CloseWhy>(seen[3].header.why), CloseWhy::kHostDied);
  EXPECT_EQ(seen[3].header.lane, kNoLane);
  EXPECT_EQ(tracker.open_connections(), 0u);
}

}  // namespace
}  // namespace sidrec::test
