#include "recorder/ring/ring_reader.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "recorder/ring/outstanding.h"
#include "tests/unit/ring_producer.h"

namespace sidrec::test {
namespace {

struct Taken {
  uint32_t lane;
  uint64_t pos, time_ns;
  std::string payload;
};

class RingReaderTest : public testing::Test {
 protected:
  RingReaderTest() { open(); }
  void open() {
    auto opened = RingFile::open(host.path());
    ASSERT_TRUE(opened) << opened.error().message;
    ring.emplace(std::move(*opened));
    reader.emplace(*ring, [this](const std::string& why) { errors.push_back(why); });
  }
  std::vector<Taken> pass(uint64_t now_ns, bool dead = false) {
    std::vector<Taken> taken;
    reader->pass(now_ns, dead, [&taken](const RingRecord& r) {
      taken.push_back({r.lane, r.pos, r.header.time_ns, std::string(r.payload)});
    });
    return taken;
  }
  std::vector<uint64_t> times(uint64_t now_ns, bool dead = false) {
    std::vector<uint64_t> all;
    for (const Taken& taken : pass(now_ns, dead)) all.push_back(taken.time_ns);
    return all;
  }
  uint64_t data(uint32_t lane, uint64_t time_ns, std::string_view payload = "x") {
    return host.put(lane, record(ring::kData, time_ns), payload);
  }
  using Times = std::vector<uint64_t>;

  Folder folder;
  RingProducer host{folder};
  std::optional<RingFile> ring;
  std::optional<RingReader> reader;
  std::vector<std::string> errors;
};

TEST_F(RingReaderTest, records_of_all_lanes_come_in_the_order_of_their_times) {
  data(0, 10), data(0, 30), data(1, 20), data(1, 40);
  EXPECT_EQ(times(100), (Times{10, 20, 30, 40}));
  EXPECT_EQ(times(100), Times{});
}

TEST_F(RingReaderTest, a_record_that_an_unpublished_one_could_precede_waits_for_it) {
  data(0, 30);
  host.lane(1).floor_ns = 20;
  host.lane(1).busy = 7;
  EXPECT_EQ(times(100), Times{});
  EXPECT_TRUE(reader->has_unripe());
  data(1, 25);
  host.lane(1).busy = 0;
  EXPECT_EQ(times(100), (Times{25, 30}));
}

TEST_F(RingReaderTest, a_writer_that_stands_still_is_not_waited_for_and_counted) {
  data(0, 30);
  host.lane(1).floor_ns = 20;
  host.lane(1).busy = 7;
  EXPECT_EQ(times(100), Times{});
  EXPECT_EQ(times(100 + kStuckNs - 1), Times{});
  EXPECT_EQ(times(100 + kStuckNs), (Times{30}));
  EXPECT_EQ(reader->stuck_writers(), 1u);
}

TEST_F(RingReaderTest, a_dead_ring_gives_everything) {
  data(0, 30);
  host.lane(1).floor_ns = 20;
  host.lane(1).busy = 7;
  EXPECT_EQ(times(10, /*dead=*/true), (Times{30}));
  EXPECT_TRUE(reader->is_drained());
}

TEST_F(RingReaderTest, a_record_may_wrap_around_the_lanes_end_at_any_byte) {
  const uint64_t lane_bytes = ring->facts().lane_bytes;
  std::string payload(1000, '\0');
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 7);
  for (uint64_t turn = 1; host.lane(0).head < 40 * lane_bytes; ++turn) {
    payload.resize(900 + turn % 100, 'y');
    const uint64_t end = data(0, turn, payload);
    const auto taken = pass(turn + 1);
    ASSERT_EQ(taken.size(), 1u);
    ASSERT_EQ(taken[0].payload, payload);
    ASSERT_EQ(taken[0].pos, end);
    reader->give_back(0, end);
  }
  EXPECT_TRUE(errors.empty());
}

TEST_F(RingReaderTest, a_pass_is_bounded_and_says_that_there_is_more) {
  Folder other;
  RingProducer big(other, {.lanes = 1, .lane_bytes = 1024 * 1024});
  auto opened = RingFile::open(big.path());
  ASSERT_TRUE(opened);
  RingReader bounded(*opened, [](const std::string&) {});
  const std::string payload(32 * 1024, 'x');
  for (uint64_t i = 0; i < 31; ++i) big.put(0, record(ring::kData, i), payload);
  size_t bytes = 0;
  bounded.pass(100, false, [&bytes](const RingRecord& r) { bytes += ring::record_bytes(r.payload.size()); });
  EXPECT_GE(bytes, kPassBytes);
  EXPECT_LT(bytes, kPassBytes + 33 * 1024);
  EXPECT_TRUE(bounded.has_more());
  EXPECT_EQ(bounded.pass(100, false, [](const RingRecord&) {}), 31 - bytes / ring::record_bytes(payload.size()));
  EXPECT_FALSE(bounded.has_more());
}

TEST_F(RingReaderTest, a_lane_that_says_nonsense_is_retired_and_the_others_go_on) {
  const auto spoil = [this](ring::RecordHeader bad, std::string_view payload) {
    host.put(0, bad, payload);
    data(1, 20);
    EXPECT_EQ(times(100), (Times{20}));
    EXPECT_EQ(errors.size(), 1u);
    EXPECT_EQ(times(100), Times{});
    EXPECT_TRUE(reader->is_drained());
  };
  spoil(record(static_cast<ring::Kind>(99), 10), "what is this");
}

TEST_F(RingReaderTest, a_record_longer_than_what_is_published_retires_its_lane) {
  data(0, 10, "12345678");
  host.lane(0).head = 32;
  EXPECT_EQ(times(100), Times{});
  EXPECT_EQ(errors.size(), 1u);
}

TEST_F(RingReaderTest, a_head_beyond_the_lane_retires_it) {
  host.lane(0).head = 2 * ring->facts().lane_bytes;
  data(1, 20);
  EXPECT_EQ(times(100), (Times{20}));
  EXPECT_EQ(errors.size(), 1u);
}

TEST_F(RingReaderTest, a_head_that_goes_back_retires_its_lane) {
  data(0, 10);
  EXPECT_EQ(times(100), (Times{10}));
  host.lane(0).head = 8;
  EXPECT_EQ(times(100), Times{});
  EXPECT_EQ(errors.size(), 1u);
}

TEST_F(RingReaderTest, a_time_far_in_the_future_does_not_hold_back_a_lane) {
  data(0, 3600 * kSecond), data(0, 10);
  EXPECT_EQ(times(100), (Times{100, 10}));
}

TEST_F(RingReaderTest, room_given_back_wakes_who_waits_for_it) {
  const uint64_t end = data(0, 10);
  pass(100);
  reader->give_back(0, end);
  EXPECT_EQ(host.lane(0).tail, end);
  EXPECT_EQ(host.lane(0).room, 0u);
  host.lane(0).waiters = 1;
  const uint64_t next = data(0, 20);
  pass(100);
  reader->give_back(0, next);
  EXPECT_EQ(host.lane(0).room, 1u);
}

TEST_F(RingReaderTest, what_was_not_read_is_never_given_back) {
  const uint64_t end = data(0, 10);
  reader->give_back(0, end);
  EXPECT_EQ(host.lane(0).tail, 0u);
}

TEST_F(RingReaderTest, an_overrun_is_over_when_the_lane_is_less_than_half_full) {
  host.lane(0).overrun = 1;
  const std::string payload(4000, 'x');
  const uint64_t first = data(0, 10, payload);
  data(0, 20, payload), data(0, 30, payload);
  pass(100);
  reader->give_back(0, 0);
  EXPECT_EQ(host.lane(0).overrun, 1u);
  reader->give_back(0, first);
  EXPECT_EQ(host.lane(0).overrun, 0u);
}

TEST_F(RingReaderTest, news_is_what_was_published_since_the_last_pass) {
  data(0, 200);
  pass(100);
  EXPECT_TRUE(reader->has_unripe());
  EXPECT_FALSE(reader->has_news(1));
  data(0, 210);
  EXPECT_TRUE(reader->has_news(1));
  EXPECT_FALSE(reader->has_news(4096));
}

TEST(ring_outstanding, a_lane_is_freed_in_order_up_to_the_first_record_that_is_not_safe) {
  Outstanding outstanding(1);
  outstanding.add(0, 800, 1), outstanding.add(0, 1600, kNobody), outstanding.add(0, 2400, 2),
      outstanding.add(0, 3200, 1);
  uint64_t marks[3] = {0, 0, 2400};
  const auto safe = [&marks](OwnerId owner, uint32_t) { return marks[owner]; };
  EXPECT_EQ(outstanding.advance(0, 0, safe), 0u);
  marks[1] = 800;
  EXPECT_EQ(outstanding.advance(0, 0, safe), 2400u);
  marks[1] = 3200;
  EXPECT_EQ(outstanding.advance(0, 2400, safe), 3200u);
}

TEST(ring_outstanding, neighbours_of_one_owner_are_freed_one_by_one_all_the_same) {
  Outstanding outstanding(1);
  for (uint64_t pos = 800; pos <= 8000; pos += 800) outstanding.add(0, pos, 1);
  uint64_t mark = 2400;
  const auto safe = [&mark](OwnerId, uint32_t) { return mark; };
  EXPECT_EQ(outstanding.advance(0, 0, safe), 2400u);
  mark = 8000;
  EXPECT_EQ(outstanding.advance(0, 2400, safe), 8000u);
}

TEST(ring_outstanding, a_mark_on_one_of_several_events_of_a_record_frees_only_the_record_before) {
  Outstanding outstanding(1);
  outstanding.add(0, 800, 1), outstanding.add(0, 1600, 1);
  EXPECT_EQ(outstanding.advance(0, 0, [](OwnerId, uint32_t) { return uint64_t{803}; }), 800u);
}

TEST(ring_file, only_one_recorder_has_a_ring) {
  Folder folder;
  RingProducer host(folder);
  const auto first = RingFile::open(host.path());
  ASSERT_TRUE(first);
  EXPECT_EQ(RingFile::open(host.path()).error().code, EAGAIN);
}

TEST(ring_file, a_header_that_makes_no_sense_is_an_error) {
  const std::vector<std::function<void(ring::Header&)>> lies = {
      [](ring::Header& h) { h.magic ^= 1; },
      [](ring::Header& h) { h.version = 99; },
      [](ring::Header& h) { h.lanes = 0; },
      [](ring::Header& h) { h.lanes = ring::kMaxLanes; },  // more than the file holds
      [](ring::Header& h) { h.lane_bytes = 3 * ring::kMinLaneBytes; },
      [](ring::Header& h) { h.lane_bytes = ring::kMaxLaneBytes * 2; },
      [](ring::Header& h) { std::memset(h.program, 'x', sizeof h.program); },
      [](ring::Header& h) { std::strcpy(h.ring_id, "../x"); },
      [](ring::Header& h) { std::strcpy(h.audit_dir, "relative"); },
  };
  for (size_t i = 0; i < lies.size(); ++i) {
    Folder folder;
    RingProducer host(folder);
    lies[i](host.header());
    EXPECT_FALSE(RingFile::open(host.path())) << "lie " << i;
  }
}

TEST(ring_file, variables_of_the_host_are_copied_whole) {
  Folder folder;
  RingProducer host(folder);
  std::memcpy(host.header().env, "A=1\0B=two", 10);
  const auto ring = RingFile::open(host.path());
  ASSERT_TRUE(ring);
  EXPECT_EQ(ring->facts().env, std::string("A=1\0B=two\0", 10));
}

}  // namespace
}  // namespace sidrec::test
