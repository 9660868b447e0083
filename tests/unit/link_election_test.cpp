#include <gtest/gtest.h>

#include "link_events.h"
#include "recorder/link/election.h"

namespace sidrec::link {
namespace {

using Step = Election::Step;

// An election that has just been told to connect.
struct Candidate {
  Election election;
  uint64_t now = ms(1000);

  explicit Candidate(ElectionSettings settings = {}) : election(settings) {
    EXPECT_EQ(election.start(), Step::kConnect);
  }
  Step connect(ConnectResult result) { return election.on_connect(result, now); }
  // Sleeps until the election wants to be woken; how long that was.
  uint64_t sleep() {
    const uint64_t until = election.deadline_ns().value_or(now);
    const uint64_t slept = until - now;
    now = until;
    return slept;
  }
  void become_slave() {
    EXPECT_EQ(connect(ConnectResult::kConnected), Step::kSendHello);
    EXPECT_EQ(election.on_welcome(), Step::kSlave);
  }
};

TEST(LinkElection, nobody_there_makes_a_master) {
  for (const auto result : {ConnectResult::kAbsent, ConnectResult::kRefused}) {
    Candidate candidate;
    EXPECT_EQ(candidate.connect(result), Step::kLock);
    EXPECT_EQ(candidate.election.on_lock(true, candidate.now), Step::kBind);
    EXPECT_EQ(candidate.election.on_bind(true, candidate.now), Step::kMaster);
    EXPECT_FALSE(candidate.election.deadline_ns());
  }
}

TEST(LinkElection, a_welcome_makes_a_slave) {
  Candidate candidate;
  candidate.become_slave();
  EXPECT_FALSE(candidate.election.deadline_ns());
}

TEST(LinkElection, who_cannot_lock_is_not_master_whatever_the_run_directory_shows) {
  Candidate candidate;
  EXPECT_EQ(candidate.connect(ConnectResult::kAbsent), Step::kLock);
  EXPECT_EQ(candidate.election.on_lock(false, candidate.now), Step::kPause);
  candidate.sleep();
  EXPECT_EQ(candidate.election.on_timer(candidate.now), Step::kConnect);
}

TEST(LinkElection, a_full_backlog_means_alive_and_never_leads_to_the_lock) {
  Candidate candidate;
  for (int round = 0; round < 1000; ++round) {
    ASSERT_EQ(candidate.connect(ConnectResult::kAgain), Step::kPause);
    candidate.sleep();
    ASSERT_EQ(candidate.election.on_timer(candidate.now), Step::kConnect);
  }
}

TEST(LinkElection, an_unanswered_hello_means_alive_and_is_asked_again) {
  Candidate candidate;
  EXPECT_EQ(candidate.connect(ConnectResult::kConnected), Step::kSendHello);
  const uint64_t timeout = *candidate.election.deadline_ns();
  EXPECT_EQ(timeout, candidate.now + ElectionSettings{}.hello_timeout_ns);
  EXPECT_EQ(candidate.election.on_timer(timeout - 1), Step::kNone);
  candidate.now = timeout;
  EXPECT_EQ(candidate.election.on_timer(candidate.now), Step::kPause);
  candidate.sleep();
  EXPECT_EQ(candidate.election.on_timer(candidate.now), Step::kConnect);
}

TEST(LinkElection, pauses_double_up_to_their_bound) {
  Candidate candidate;
  std::vector<uint64_t> pauses;
  for (int round = 0; round < 8; ++round) {
    EXPECT_EQ(candidate.connect(ConnectResult::kAgain), Step::kPause);
    pauses.push_back(candidate.sleep() / kMillisecond);
    EXPECT_EQ(candidate.election.on_timer(candidate.now), Step::kConnect);
  }
  EXPECT_EQ(pauses, (std::vector<uint64_t>{2, 4, 8, 16, 32, 50, 50, 50}));
}

TEST(LinkElection, a_welcome_makes_the_next_pause_short_again) {
  Candidate candidate;
  for (int round = 0; round < 5; ++round) {
    candidate.connect(ConnectResult::kAgain);
    candidate.sleep();
    candidate.election.on_timer(candidate.now);
  }
  candidate.become_slave();
  EXPECT_EQ(candidate.election.on_end(candidate.now), Step::kConnect);
  candidate.connect(ConnectResult::kAgain);
  EXPECT_EQ(candidate.sleep(), ms(2));
}

TEST(LinkElection, a_pause_is_not_cut_short) {
  Candidate candidate;
  candidate.connect(ConnectResult::kAgain);
  EXPECT_EQ(candidate.election.on_timer(*candidate.election.deadline_ns() - 1), Step::kNone);
  EXPECT_EQ(candidate.election.step(), Step::kPause);
}

TEST(LinkElection, a_slave_that_lost_its_master_tries_at_once) {
  Candidate candidate;
  candidate.become_slave();
  EXPECT_EQ(candidate.election.on_end(candidate.now), Step::kConnect);
  EXPECT_EQ(candidate.connect(ConnectResult::kRefused), Step::kLock);
  EXPECT_EQ(candidate.election.on_lock(true, candidate.now), Step::kBind);
}

TEST(LinkElection, a_master_that_dies_in_the_greeting_is_tried_again_after_a_pause) {
  Candidate candidate;
  candidate.connect(ConnectResult::kConnected);
  EXPECT_EQ(candidate.election.on_end(candidate.now), Step::kPause);
  EXPECT_EQ(candidate.sleep(), ms(2));
}

TEST(LinkElection, a_refused_slave_comes_back_slowly_also_when_it_was_welcome_before) {
  Candidate candidate;
  candidate.connect(ConnectResult::kConnected);
  EXPECT_EQ(candidate.election.on_refused(candidate.now), Step::kPause);
  EXPECT_EQ(candidate.sleep(), kSecond);
  EXPECT_EQ(candidate.election.on_timer(candidate.now), Step::kConnect);
  candidate.become_slave();
  EXPECT_EQ(candidate.election.on_refused(candidate.now), Step::kPause);
  EXPECT_EQ(candidate.sleep(), kSecond);
}

TEST(LinkElection, who_cannot_bind_or_connect_gives_way_and_comes_back_slowly) {
  Candidate candidate;
  candidate.connect(ConnectResult::kAbsent);
  candidate.election.on_lock(true, candidate.now);
  EXPECT_EQ(candidate.election.on_bind(false, candidate.now), Step::kPause);
  EXPECT_EQ(candidate.sleep(), kSecond);
  candidate.election.on_timer(candidate.now);
  EXPECT_EQ(candidate.connect(ConnectResult::kFailed), Step::kPause);
  EXPECT_EQ(candidate.sleep(), kSecond);
}

TEST(LinkElection, a_report_that_fits_no_step_changes_nothing) {
  Candidate candidate;
  EXPECT_EQ(candidate.election.on_lock(true, candidate.now), Step::kNone);
  EXPECT_EQ(candidate.election.on_bind(true, candidate.now), Step::kNone);
  EXPECT_EQ(candidate.election.on_welcome(), Step::kNone);
  EXPECT_EQ(candidate.election.on_refused(candidate.now), Step::kNone);
  EXPECT_EQ(candidate.election.on_end(candidate.now), Step::kNone);
  EXPECT_EQ(candidate.election.on_timer(candidate.now), Step::kNone);
  EXPECT_EQ(candidate.election.step(), Step::kConnect);
}

TEST(LinkElection, who_said_goodbye_is_free_and_can_be_elected_again) {
  Candidate candidate;
  candidate.become_slave();
  candidate.election.on_bye_ack();
  EXPECT_EQ(candidate.election.on_end(candidate.now), Step::kNone);
  EXPECT_EQ(candidate.election.start(), Step::kConnect);
}

}  // namespace
}  // namespace sidrec::link
