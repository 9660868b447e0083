#include <gtest/gtest.h>

#include "link_events.h"
#include "recorder/link/waiting_queue.h"

namespace sidrec::link {
namespace {

constexpr uint64_t kFrame = kMaxFrameBytes;

// A queue whose peers are numbered from 1, with requests numbered by themselves.
struct Master {
  WaitingQueue queue;
  std::map<PeerId, uint32_t> requests;
  uint64_t now = ms(1000);

  explicit Master(size_t capacity, PeerId peers = 4) : queue(capacity) {
    for (PeerId peer = 1; peer <= peers; ++peer) queue.add_peer(peer);
  }
  // Credit granted at once; 0 means Wait.
  uint64_t ask(PeerId peer, uint64_t bytes, uint64_t oldest_ns = 100) {
    const auto answer = queue.request(peer, {++requests[peer], bytes, bytes ? 1u : 0u, oldest_ns}, now);
    return answer ? answer->credit : 0;
  }
  void fill(PeerId peer, uint64_t bytes, uint64_t oldest_ns = 100) {
    ASSERT_EQ(ask(peer, bytes, oldest_ns), bytes);
    ASSERT_TRUE(queue.accept(peer, bytes));
  }
  std::vector<std::pair<PeerId, uint64_t>> granted() {
    std::vector<std::pair<PeerId, uint64_t>> pairs;
    for (const auto& grant : queue.grant(now)) {
      EXPECT_EQ(grant.request, requests[grant.peer]);
      pairs.emplace_back(grant.peer, grant.credit);
    }
    return pairs;
  }
};
using Grants = std::vector<std::pair<PeerId, uint64_t>>;

TEST(LinkWaitingQueue, a_queue_with_room_passes_all_that_was_asked_for) {
  Master master(8 * kFrame);
  EXPECT_EQ(master.ask(1, 1000), 1000u);
  EXPECT_EQ(master.queue.occupied(), 1000u);
}

TEST(LinkWaitingQueue, a_full_queue_answers_wait_and_passes_when_room_appears) {
  Master master(kFrame);
  master.fill(1, kFrame);
  EXPECT_EQ(master.ask(2, 72), 0u);
  EXPECT_EQ(master.queue.waiting(), 1u);
  EXPECT_EQ(master.granted(), Grants{});
  master.queue.released(1, 71);
  EXPECT_EQ(master.granted(), Grants{});
  master.queue.released(1, 1);
  EXPECT_EQ(master.granted(), (Grants{{2, 72}}));
  EXPECT_EQ(master.queue.waiting(), 0u);
}

TEST(LinkWaitingQueue, a_waiting_slave_that_asks_again_is_passed_if_there_is_room) {
  Master master(kFrame);
  master.fill(1, kFrame);
  EXPECT_EQ(master.ask(2, 72), 0u);
  EXPECT_EQ(master.ask(2, 72), 0u);
  EXPECT_EQ(master.queue.waiting(), 1u);
  master.queue.released(1, kFrame);
  EXPECT_EQ(master.ask(2, 72), 72u);
}

TEST(LinkWaitingQueue, occupied_never_passes_the_capacity) {
  Master master(3 * kFrame);
  EXPECT_EQ(master.ask(1, 100 * kFrame), 2 * kFrame);
  EXPECT_EQ(master.ask(2, 100 * kFrame), kFrame);
  EXPECT_EQ(master.ask(3, 100 * kFrame), 0u);
  EXPECT_EQ(master.queue.occupied(), 3 * kFrame);
}

TEST(LinkWaitingQueue, any_single_record_fits_an_empty_queue_however_small) {
  Master master(1);
  EXPECT_EQ(master.ask(1, event_bytes(kMaxEventPayload)), event_bytes(kMaxEventPayload));
  EXPECT_EQ(master.ask(2, 72), 0u);
  ASSERT_TRUE(master.queue.accept(1, event_bytes(kMaxEventPayload)));
  EXPECT_EQ(master.granted(), Grants{});
  master.queue.released(1, event_bytes(kMaxEventPayload));
  EXPECT_EQ(master.granted(), (Grants{{2, 72}}));
}

TEST(LinkWaitingQueue, an_empty_small_queue_passes_one_frame_of_a_large_request) {
  Master master(100);
  EXPECT_EQ(master.ask(1, 10 * kFrame), kFrame);
}

TEST(LinkWaitingQueue, one_greedy_slave_leaves_a_frame_for_an_older_request) {
  Master master(10 * kFrame);
  EXPECT_EQ(master.ask(1, 1000 * kFrame, 500), 9 * kFrame);
  ASSERT_TRUE(master.queue.accept(1, 9 * kFrame));
  EXPECT_EQ(master.ask(1, 990 * kFrame, 600), 0u);
  EXPECT_EQ(master.ask(2, 5 * kFrame, 400), kFrame);
}

TEST(LinkWaitingQueue, a_younger_request_leaves_the_reserved_frame_alone) {
  Master master(4 * kFrame);
  ASSERT_EQ(master.ask(1, 3 * kFrame, 100), 3 * kFrame);
  ASSERT_TRUE(master.queue.accept(1, 3 * kFrame));
  ASSERT_EQ(master.ask(1, kFrame, 200), 0u);  // its share is full: it waits, and is the oldest
  EXPECT_EQ(master.ask(2, 72, 300), 0u) << "the last frame is the oldest request's";
  master.queue.released(1, 72);
  EXPECT_EQ(master.granted(), (Grants{{2, 72}}));
}

TEST(LinkWaitingQueue, the_oldest_request_is_granted_first) {
  Master master(kFrame);
  master.fill(1, kFrame);
  EXPECT_EQ(master.ask(2, kFrame, 300), 0u);
  EXPECT_EQ(master.ask(3, kFrame, 200), 0u);
  EXPECT_EQ(master.ask(4, kFrame, 400), 0u);
  master.queue.released(1, kFrame);
  EXPECT_EQ(master.granted(), (Grants{{3, kFrame}}));
  ASSERT_TRUE(master.queue.accept(3, kFrame));
  master.queue.released(3, kFrame);
  EXPECT_EQ(master.granted(), (Grants{{2, kFrame}}));
}

TEST(LinkWaitingQueue, a_grant_lets_at_least_a_whole_event_through) {
  Master master(2 * kFrame);
  master.fill(1, 8, 1);
  EXPECT_EQ(master.ask(2, 1000 * kFrame), kFrame);
  EXPECT_EQ(master.ask(3, 1000 * kFrame), 0u) << "less than a frame is left, so nothing is granted";
}

TEST(LinkWaitingQueue, a_share_is_split_among_those_in_need_not_among_all) {
  Master master(101 * kFrame, 50);
  EXPECT_EQ(master.ask(1, 1000 * kFrame), 100 * kFrame) << "49 idle peers cost nothing";
  master.queue.remove_peer(1);
  for (PeerId peer = 2; peer <= 21; ++peer) EXPECT_GE(master.ask(peer, 5 * kFrame), 4 * kFrame) << peer;
}

TEST(LinkWaitingQueue, as_many_slaves_as_frames_all_get_one_at_once) {
  Master master(21 * kFrame, 20);
  for (PeerId peer = 1; peer <= 20; ++peer) EXPECT_EQ(master.ask(peer, kFrame, 1000 - peer), kFrame) << peer;
}

TEST(LinkWaitingQueue, data_beyond_the_credit_is_an_error_and_does_not_count) {
  Master master(8 * kFrame);
  ASSERT_EQ(master.ask(1, 144), 144u);
  EXPECT_TRUE(master.queue.accept(1, 72));
  const auto beyond = master.queue.accept(1, 80);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().message, "DATA of 80 bytes beyond a credit of 72");
  EXPECT_EQ(master.queue.occupied(), 144u);
  EXPECT_TRUE(master.queue.accept(1, 72));
  EXPECT_FALSE(master.queue.accept(1, 8));
  EXPECT_FALSE(master.queue.accept(99, 8)) << "a stranger has no credit";
}

TEST(LinkWaitingQueue, credit_dies_with_its_peer_and_held_bytes_stay_until_released) {
  Master master(2 * kFrame);
  ASSERT_EQ(master.ask(1, kFrame), kFrame);
  ASSERT_TRUE(master.queue.accept(1, 100));
  master.queue.remove_peer(1);
  EXPECT_EQ(master.queue.occupied(), 100u);
  master.queue.released(1, 100);
  EXPECT_EQ(master.queue.occupied(), 0u);
}

TEST(LinkWaitingQueue, a_waiting_request_dies_with_its_peer) {
  Master master(kFrame);
  master.fill(1, kFrame);
  EXPECT_EQ(master.ask(2, 72), 0u);
  master.queue.remove_peer(2);
  master.queue.released(1, kFrame);
  EXPECT_EQ(master.granted(), Grants{});
  EXPECT_EQ(master.queue.waiting(), 0u);
}

TEST(LinkWaitingQueue, a_new_request_gives_back_the_credit_of_the_last) {
  Master master(8 * kFrame);
  ASSERT_EQ(master.ask(1, 1000), 1000u);
  ASSERT_EQ(master.ask(1, 200), 200u);
  EXPECT_EQ(master.queue.occupied(), 200u);
  EXPECT_EQ(master.ask(1, 0), 0u);
  EXPECT_EQ(master.queue.occupied(), 0u);
  EXPECT_EQ(master.queue.waiting(), 0u);
}

TEST(LinkWaitingQueue, what_the_first_frame_leaves_of_its_credit_is_free_again) {
  Master master(8 * kFrame);
  ASSERT_EQ(master.queue.request(1, {0, kFirstBytes, 1, 100}, master.now)->credit, kFirstBytes);
  ASSERT_TRUE(master.queue.accept(1, 72));
  EXPECT_EQ(master.queue.occupied(), 72u);
  EXPECT_FALSE(master.queue.accept(1, 72));
  EXPECT_EQ(master.queue.oldest_expected_ns(), std::nullopt);
  master.fill(1, 72);
  EXPECT_EQ(master.queue.occupied(), 144u);
}

TEST(LinkWaitingQueue, expected_is_what_is_on_its_way_until_its_youngest_byte) {
  Master master(8 * kFrame);
  EXPECT_FALSE(master.queue.oldest_expected_ns());
  master.ask(1, 144, 500);
  master.ask(2, 144, 300);
  EXPECT_EQ(master.queue.oldest_expected_ns(), 300u);
  ASSERT_TRUE(master.queue.accept(2, 72));
  master.queue.reached(2, 700);
  EXPECT_EQ(master.queue.oldest_expected_ns(), 500u);
  ASSERT_TRUE(master.queue.accept(1, 144));
  master.queue.reached(1, 900);
  EXPECT_EQ(master.queue.oldest_expected_ns(), 700u);
  ASSERT_TRUE(master.queue.accept(2, 72));
  EXPECT_FALSE(master.queue.oldest_expected_ns());
}

TEST(LinkWaitingQueue, a_request_that_waits_for_the_bytes_of_others_holds_nobody_up) {
  Master master(kFrame);
  master.fill(1, kFrame, 500);
  EXPECT_EQ(master.ask(2, 72, 100), 0u);
  EXPECT_FALSE(master.queue.oldest_expected_ns()) << "nothing could be released, and so nothing be granted";
  EXPECT_EQ(master.ask(1, 72, 600), 0u);
  EXPECT_EQ(master.queue.oldest_expected_ns(), 600u) << "waits for its own bytes, which are older";
}

TEST(LinkWaitingQueue, credit_unused_beyond_the_patience_names_its_peer) {
  Master master(8 * kFrame);
  master.ask(1, 72);
  master.ask(2, 72);
  ASSERT_TRUE(master.queue.accept(2, 72));
  EXPECT_TRUE(master.queue.overdue(master.now + kCreditPatienceNs - 1).empty());
  EXPECT_EQ(master.queue.overdue(master.now + kCreditPatienceNs), (std::vector<PeerId>{1}));
}

}  // namespace
}  // namespace sidrec::link
