#include <gtest/gtest.h>

#include "link_events.h"
#include "recorder/link/slave_flow.h"

namespace sidrec::link {
namespace {

using Positions = std::vector<uint64_t>;
constexpr uint64_t kEvent = 80;  // bytes of one small event

struct Slave {
  SlaveFlow flow;
  uint64_t now = ms(1000);
  uint64_t next_pos = 1;

  void record(int events = 1, size_t bytes = 8) {
    for (; events > 0; --events, ++next_pos) {
      flow.append(data_event(ms(next_pos), next_pos, bytes), std::string(bytes, 'x'));
    }
  }
  // Sends the request it wants to send; 0 bytes and number 0 when it wants none.
  Request ask() {
    const auto request = flow.request(now);
    if (!request) return {};
    flow.requested(*request);
    return *request;
  }
  void pass(uint64_t credit) { ASSERT_TRUE(flow.on_pass({asked, credit})); }
  // Asks, is passed all, sends all.
  Positions hand_over() {
    const Request request = ask();
    EXPECT_TRUE(flow.on_pass({request.request, request.bytes}));
    return send_all();
  }
  Positions send_all() {
    Positions positions;
    for (auto body = flow.data(); !body.empty(); body = flow.data()) {
      EXPECT_LE(body.size(), kMaxFrameBytes);
      for (const uint64_t pos : positions_in(body)) positions.push_back(pos);
      flow.sent();
    }
    return positions;
  }
  void commit(uint64_t pos, uint32_t lane = 0) { ASSERT_TRUE(flow.on_commit({{{lane, pos}}})); }
  uint32_t asked = 0;
};

TEST(LinkSlaveFlow, a_slave_with_data_asks_once_and_says_how_much_and_how_old) {
  Slave slave;
  EXPECT_EQ(slave.ask().request, 0u) << "nothing to send";
  slave.record(3);
  const Request request = slave.ask();
  EXPECT_EQ(request.request, 1u);
  EXPECT_EQ(request.bytes, 3 * kEvent);
  EXPECT_EQ(request.records, 3u);
  EXPECT_EQ(request.oldest_ns, ms(1));
  slave.record();
  EXPECT_EQ(slave.ask().request, 0u) << "one request at a time";
  EXPECT_TRUE(slave.flow.data().empty()) << "no data before Pass";
}

TEST(LinkSlaveFlow, hello_asks_for_the_first_frame) {
  Slave slave;
  slave.record(2);
  slave.flow.greeted();
  EXPECT_EQ(slave.ask().request, 0u) << "it has asked";
  EXPECT_FALSE(slave.flow.on_pass({0, kFirstBytes + 1}));
  ASSERT_TRUE(slave.flow.on_pass({0, kFirstBytes}));
  EXPECT_EQ(slave.send_all(), (Positions{1, 2}));
  slave.record();
  EXPECT_TRUE(slave.flow.data().empty()) << "one frame";
  EXPECT_EQ(slave.ask().request, 1u);
}

TEST(LinkSlaveFlow, what_hello_asked_for_and_cannot_be_used_is_given_back) {
  Slave nothing;
  nothing.flow.greeted();
  ASSERT_TRUE(nothing.flow.on_pass({0, kFirstBytes}));
  EXPECT_EQ(nothing.ask().request, 1u);
  EXPECT_EQ(nothing.ask().request, 0u) << "once";

  Slave large;
  large.record(1, kFirstBytes);
  large.flow.greeted();
  ASSERT_TRUE(large.flow.on_pass({0, kFirstBytes}));
  EXPECT_TRUE(large.flow.data().empty());
  EXPECT_GT(large.ask().bytes, kFirstBytes);
}

TEST(LinkSlaveFlow, on_pass_it_sends_whole_events_within_the_credit) {
  Slave slave;
  slave.record(3);
  slave.ask();
  ASSERT_TRUE(slave.flow.on_pass({1, 3 * kEvent - 1}));
  EXPECT_EQ(slave.flow.request(slave.now), std::nullopt) << "credit is used before it asks again";
  EXPECT_EQ(slave.send_all(), (Positions{1, 2}));
  const Request next = slave.ask();
  EXPECT_EQ(next.request, 2u);
  EXPECT_EQ(next.bytes, kEvent);
  EXPECT_EQ(next.oldest_ns, ms(3));
}

TEST(LinkSlaveFlow, a_body_that_could_not_be_sent_is_offered_again) {
  Slave slave;
  slave.record(2);
  slave.ask();
  ASSERT_TRUE(slave.flow.on_pass({1, 2 * kEvent}));
  EXPECT_EQ(positions_in(slave.flow.data()), (Positions{1, 2}));
  slave.record();
  EXPECT_EQ(positions_in(slave.flow.data()), (Positions{1, 2}));
  slave.flow.sent();
  EXPECT_TRUE(slave.flow.data().empty());
}

TEST(LinkSlaveFlow, frames_hold_no_more_than_the_largest_frame) {
  Slave slave;
  slave.record(5000);
  slave.record(3, kMaxEventPayload);
  const Positions sent = slave.hand_over();
  ASSERT_EQ(sent.size(), 5003u);
  for (size_t i = 0; i < sent.size(); ++i) ASSERT_EQ(sent[i], i + 1);
}

TEST(LinkSlaveFlow, a_frame_of_exactly_the_largest_size_is_one_frame) {
  Slave slave;
  // 16 events of 8 KiB with their headers fill a frame to the byte.
  slave.record(16, kMaxFrameBytes / 16 - sizeof(EventHeader));
  slave.record(1);
  slave.ask();
  ASSERT_TRUE(slave.flow.on_pass({1, kMaxFrameBytes + kEvent}));
  EXPECT_EQ(slave.flow.data().size(), kMaxFrameBytes);
  slave.flow.sent();
  EXPECT_EQ(positions_in(slave.flow.data()), (Positions{17}));
}

TEST(LinkSlaveFlow, on_wait_it_asks_again_after_the_time_it_was_told) {
  Slave slave;
  slave.record();
  slave.ask();
  ASSERT_TRUE(slave.flow.on_wait({1, 10'000}, slave.now));
  EXPECT_TRUE(slave.flow.is_waiting());
  EXPECT_EQ(slave.flow.deadline_ns(), slave.now + 10 * kSecond);
  slave.now += 10 * kSecond - 1;
  EXPECT_EQ(slave.ask().request, 0u);
  slave.record();
  slave.now += 1;
  const Request again = slave.ask();
  EXPECT_EQ(again.request, 2u);
  EXPECT_EQ(again.bytes, 2 * kEvent) << "all there is by now";
  EXPECT_FALSE(slave.flow.is_waiting());
}

TEST(LinkSlaveFlow, a_pass_that_is_pushed_ends_the_wait) {
  Slave slave;
  slave.record();
  slave.ask();
  ASSERT_TRUE(slave.flow.on_wait({1, 10'000}, slave.now));
  ASSERT_TRUE(slave.flow.on_pass({1, kEvent}));
  EXPECT_FALSE(slave.flow.is_waiting());
  EXPECT_EQ(slave.send_all(), Positions{1});
}

TEST(LinkSlaveFlow, answers_that_crossed_with_a_newer_request_mean_nothing) {
  Slave slave;
  slave.record();
  slave.ask();
  ASSERT_TRUE(slave.flow.on_wait({1, 10}, slave.now));
  slave.now += ms(10);
  slave.ask();
  ASSERT_TRUE(slave.flow.on_pass({1, kEvent}));
  EXPECT_TRUE(slave.flow.data().empty()) << "that credit ended with the second request";
  ASSERT_TRUE(slave.flow.on_wait({1, 10}, slave.now));
  EXPECT_FALSE(slave.flow.is_waiting());
  ASSERT_TRUE(slave.flow.on_pass({2, kEvent}));
  EXPECT_EQ(slave.send_all(), Positions{1});
}

TEST(LinkSlaveFlow, answers_to_nothing_are_a_breach) {
  Slave slave;
  EXPECT_FALSE(slave.flow.on_pass({1, 8}));
  EXPECT_FALSE(slave.flow.on_wait({1, 10}, slave.now));
  slave.record();
  slave.ask();
  EXPECT_FALSE(slave.flow.on_pass({2, 8}));
  EXPECT_FALSE(slave.flow.on_wait({2, 8}, slave.now));
  EXPECT_FALSE(slave.flow.on_pass({1, kEvent + 1})) << "more than it asked for";
  ASSERT_TRUE(slave.flow.on_pass({1, kEvent}));
  EXPECT_FALSE(slave.flow.on_pass({1, kEvent})) << "a second time";
  EXPECT_FALSE(slave.flow.on_wait({1, 10}, slave.now));
  EXPECT_FALSE(slave.flow.on_commit({{{kMaxLanes, 1}}}));
  EXPECT_TRUE(slave.flow.on_commit({{{kMaxLanes - 1, 1}}}));
}

TEST(LinkSlaveFlow, events_are_kept_until_a_commit_covers_them) {
  Slave slave;
  slave.record(3);
  slave.hand_over();
  EXPECT_EQ(slave.flow.unsent_bytes(), 0u);
  EXPECT_EQ(slave.flow.uncommitted_bytes(), 3 * kEvent);
  slave.commit(2);
  EXPECT_EQ(slave.flow.uncommitted_bytes(), kEvent);
  EXPECT_FALSE(slave.flow.all_committed());
  slave.commit(3);
  EXPECT_TRUE(slave.flow.all_committed());
  slave.commit(2);
  slave.record();
  EXPECT_FALSE(slave.flow.all_committed()) << "an old mark covers nothing new";
}

TEST(LinkSlaveFlow, each_lane_is_committed_by_its_own_mark) {
  Slave slave;
  slave.flow.append(data_event(1, 10, 8, 0), std::string(8, 'x'));
  slave.flow.append(data_event(2, 5, 8, 1), std::string(8, 'x'));
  slave.flow.append(data_event(3, 20, 8, 0), std::string(8, 'x'));
  slave.hand_over();
  slave.commit(20, 0);
  EXPECT_EQ(slave.flow.uncommitted_bytes(), 2 * kEvent) << "lane 1 is not committed";
  slave.commit(5, 1);
  EXPECT_TRUE(slave.flow.all_committed());
}

TEST(LinkSlaveFlow, events_of_no_lane_are_committed_one_by_one) {
  Slave slave;
  slave.flow.append(host_died(1, 9), no_close_facts());
  slave.flow.append(host_died(2, 4), no_close_facts());
  slave.hand_over();
  slave.commit(9, kNoLane);
  EXPECT_EQ(slave.flow.uncommitted_bytes(), event_bytes(sizeof(ConnClose))) << "4 < 9, and not covered";
  slave.commit(4, kNoLane);
  EXPECT_TRUE(slave.flow.all_committed());
}

TEST(LinkSlaveFlow, what_an_earlier_master_had_written_is_not_sent_again) {
  Slave slave;
  slave.record(4);
  slave.commit(2);
  EXPECT_EQ(slave.flow.unsent_bytes(), 2 * kEvent);
  EXPECT_EQ(slave.hand_over(), (Positions{3, 4}));
}

TEST(LinkSlaveFlow, when_the_master_is_lost_all_that_is_uncommitted_is_sent_again_in_order) {
  Slave slave;
  slave.record(5);
  slave.ask();
  ASSERT_TRUE(slave.flow.on_pass({1, 3 * kEvent}));
  slave.send_all();
  slave.commit(1);
  slave.flow.on_master_lost();
  EXPECT_EQ(slave.flow.unsent_bytes(), 4 * kEvent);
  const Request request = slave.ask();
  EXPECT_EQ(request.request, 1u) << "numbers begin anew with each connection";
  EXPECT_EQ(request.records, 4u);
  EXPECT_EQ(request.oldest_ns, ms(2));
  ASSERT_TRUE(slave.flow.on_pass({1, request.bytes}));
  EXPECT_EQ(slave.send_all(), (Positions{2, 3, 4, 5}));
}

TEST(LinkSlaveFlow, credit_of_a_lost_master_is_worth_nothing) {
  Slave slave;
  slave.record();
  slave.ask();
  ASSERT_TRUE(slave.flow.on_pass({1, kEvent}));
  slave.flow.on_master_lost();
  EXPECT_TRUE(slave.flow.data().empty());
}

TEST(LinkSlaveFlow, unsent_events_can_go_to_a_spool_and_come_back_in_front) {
  Slave slave;
  slave.record(2);
  slave.hand_over();
  slave.record(2);
  const std::string spooled = joined(slave.flow.take_unsent());
  EXPECT_EQ(positions_in(spooled), (Positions{3, 4}));
  EXPECT_TRUE(slave.flow.is_spooling());
  slave.record(1);
  EXPECT_EQ(slave.ask().request, 0u) << "5 stays behind the spool";
  EXPECT_EQ(slave.flow.oldest_unsent_ns(), ms(5));
  ASSERT_TRUE(slave.flow.prepend(spooled.substr(0, kEvent), false));
  EXPECT_EQ(slave.hand_over(), Positions{3});
  ASSERT_TRUE(slave.flow.prepend(spooled.substr(kEvent), true));
  EXPECT_FALSE(slave.flow.is_spooling());
  EXPECT_EQ(slave.hand_over(), (Positions{4, 5}));
  slave.commit(5);
  EXPECT_TRUE(slave.flow.all_committed());
}

TEST(LinkSlaveFlow, a_spool_in_use_takes_only_what_is_behind_it) {
  Slave slave;
  slave.record(2);
  slave.hand_over();
  slave.record(1);
  std::string file = joined(slave.flow.take_unsent());
  slave.flow.on_master_lost();
  slave.record(1);
  file += joined(slave.flow.take_unsent());
  EXPECT_EQ(positions_in(file), (Positions{3, 4})) << "1 and 2 are older than the file and stay in memory";
  ASSERT_TRUE(slave.flow.prepend(file, true));
  EXPECT_EQ(slave.hand_over(), (Positions{1, 2, 3, 4}));
}

TEST(LinkSlaveFlow, what_is_sent_and_not_committed_can_be_copied_to_the_spool) {
  Slave slave;
  slave.record(6, kMaxEventPayload);
  slave.hand_over();
  slave.commit(1);
  slave.record(1);
  const std::string sent = joined(slave.flow.sent_events());
  EXPECT_EQ(positions_in(sent), (Positions{2, 3, 4, 5, 6}));
  EXPECT_EQ(positions_in(joined(slave.flow.take_unsent())), Positions{7});
  EXPECT_EQ(slave.flow.uncommitted_bytes(), sent.size());
}

TEST(LinkSlaveFlow, with_all_sent_and_nothing_committed_the_next_go_behind_the_spool) {
  Slave slave;
  slave.record(2);
  slave.hand_over();
  EXPECT_TRUE(slave.flow.take_unsent().empty());
  EXPECT_TRUE(slave.flow.is_spooling());
  slave.record(1);
  EXPECT_EQ(slave.ask().request, 0u);
  slave.commit(2);
  ASSERT_TRUE(slave.flow.prepend("", true));
  EXPECT_EQ(slave.hand_over(), Positions{3});
}

TEST(LinkSlaveFlow, nothing_to_spool_starts_no_spool) {
  Slave slave;
  EXPECT_TRUE(slave.flow.take_unsent().empty());
  EXPECT_FALSE(slave.flow.is_spooling());
}

TEST(LinkSlaveFlow, an_empty_spool_ends_without_a_byte) {
  Slave slave;
  slave.record(1);
  slave.flow.take_unsent();
  EXPECT_FALSE(slave.flow.all_committed()) << "what is in the spool is not committed";
  ASSERT_TRUE(slave.flow.prepend("", true));
  EXPECT_TRUE(slave.flow.all_committed());
}

TEST(LinkSlaveFlow, a_spool_edited_by_hand_is_refused_whole) {
  Slave slave;
  slave.record(2);
  std::string spooled = joined(slave.flow.take_unsent());
  EXPECT_FALSE(slave.flow.prepend(spooled.substr(0, kEvent + 8), true));
  spooled[kEvent + 4] = 77;
  EXPECT_FALSE(slave.flow.prepend(spooled, true));
  EXPECT_EQ(slave.flow.unsent_bytes(), 0u);
  EXPECT_TRUE(slave.flow.is_spooling());
}

TEST(LinkSlaveFlow, a_spool_larger_than_a_frame_comes_back_in_frames) {
  Slave slave;
  slave.record(6, kMaxEventPayload);
  const std::string spooled = joined(slave.flow.take_unsent());
  ASSERT_TRUE(slave.flow.prepend(spooled, true));
  EXPECT_EQ(slave.hand_over(), (Positions{1, 2, 3, 4, 5, 6}));
}

TEST(LinkSlaveFlow, what_is_in_the_spool_is_asked_for_too_and_keeps_the_credit_until_it_is_put_back) {
  Slave slave;
  slave.record();
  const auto request = slave.flow.request(slave.now, 10 * kEvent);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->bytes, 11 * kEvent);
  slave.flow.requested(*request);
  ASSERT_TRUE(slave.flow.on_pass({request->request, request->bytes}));
  EXPECT_EQ(slave.send_all(), (Positions{1}));
  EXPECT_EQ(slave.flow.request(slave.now, 10 * kEvent), std::nullopt);
  slave.record();
  EXPECT_EQ(slave.send_all(), (Positions{2})) << "within the same credit";
}

TEST(LinkSlaveFlow, a_slave_whose_data_went_to_the_spool_gives_back_its_place_and_its_credit) {
  Slave waiting;
  waiting.record();
  waiting.ask();
  ASSERT_TRUE(waiting.flow.on_wait({1, 10'000}, waiting.now));
  waiting.flow.take_unsent();
  Request request = waiting.ask();
  EXPECT_EQ(request.request, 2u);
  EXPECT_EQ(request.bytes, 0u);
  EXPECT_EQ(waiting.ask().request, 0u) << "once";

  Slave passed;
  passed.record();
  passed.ask();
  passed.flow.take_unsent();
  EXPECT_EQ(passed.ask().request, 0u) << "the answer comes first";
  ASSERT_TRUE(passed.flow.on_pass({1, kEvent}));
  request = passed.ask();
  EXPECT_EQ(request.request, 2u);
  EXPECT_EQ(request.bytes, 0u);
}

TEST(LinkSlaveFlow, a_slave_that_becomes_master_takes_what_is_uncommitted) {
  Slave slave;
  slave.record(4);
  slave.hand_over();
  slave.record(1);
  slave.commit(2);
  slave.flow.on_master_lost();
  EXPECT_EQ(positions_in(slave.flow.take_uncommitted()), (Positions{3, 4, 5}));
  EXPECT_TRUE(slave.flow.all_committed());
}

}  // namespace
}  // namespace sidrec::link
