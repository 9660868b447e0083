
#include "recorder/link/socket.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/reassembly.h"
#include "recorder/trail/session_summary.h"
#include "recorder/trail/trail_store.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

struct Reading : ::testing::Test {
  TempDir store;
  Trail trail{store.path(), kSid};
  uint64_t pos = 0;

  void SetUp() override { ASSERT_OK(trail.begin(identity(), master(), 0)); }

  At next(uint64_t conn = 0x7f3a) { return {.time_ns = ++pos * kMillisecond, .pos = pos, .conn = conn}; }
  void append(const TestEvent& event) { trail.append("r4100", event, false); }
  void in(uint64_t off, std::string_view bytes) { append(data(next(), Direction::kIn, off, bytes)); }
  void out(uint64_t off, std::string_view bytes) { append(data(next(), Direction::kOut, off, bytes)); }

  struct Got {
    std::string bytes;
    Reassembly outcome;
  };
  Got reassembled(Direction dir = Direction::kIn, std::string_view conn = "c7f3a") {
    EXPECT_TRUE(trail.commit(0));
    auto reader = TrailReader::open(trail.file());
    Got got;
    auto outcome = reassemble(*reader, conn, "", dir, [&](std::string_view bytes) {
      got.bytes += bytes;
      return true;
    });
    EXPECT_TRUE(outcome) << outcome.error().message;
    got.outcome = *outcome;
    return got;
  }
  TrailFile only_trail() { return trails_of_store(store.path())->at(0); }
};

TEST_F(Reading, sees_whole_lines_only_and_a_line_once_it_is_whole) {
  auto reader = TrailReader::open(trail.file());
  ASSERT_OK(reader);
  EXPECT_TRUE(*reader->next());
  EXPECT_FALSE(*reader->next());
  const std::string line = R"({"ev":"note","seq":2})";
  std::ofstream(trail.file(), std::ios::app) << line.substr(0, 10);
  EXPECT_FALSE(*reader->next());
  std::ofstream(trail.file(), std::ios::app) << line.substr(10) << "\n";
  ASSERT_TRUE(*reader->next());
  EXPECT_EQ(reader->line(), line);
}

TEST_F(Reading, sees_the_new_line_where_a_torn_one_was_cut) {
  const auto size = std::filesystem::file_size(trail.file());
  auto reader = TrailReader::open(trail.file());
  EXPECT_TRUE(*reader->next());
  std::ofstream(trail.file(), std::ios::app) << R"({"ev":"torn)";
  EXPECT_FALSE(*reader->next());
  std::filesystem::resize_file(trail.file(), size);
  EXPECT_FALSE(reader->was_shortened());
  std::ofstream(trail.file(), std::ios::app) << R"({"ev":"n","seq":2})"
                                             << "\n";
  ASSERT_TRUE(*reader->next());
  EXPECT_EQ(reader->line(), R"({"ev":"n","seq":2})");
  std::filesystem::resize_file(trail.file(), size);
  EXPECT_TRUE(reader->was_shortened());
}

TEST_F(Reading, names_file_and_line_of_what_is_no_trail_line) {
  std::ofstream(trail.file(), std::ios::app) << "hello\n";
  auto reader = TrailReader::open(trail.file());
  EXPECT_TRUE(*reader->next());
  EXPECT_TRUE(*reader->next());
  const auto parsed = reader->parsed();
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, trail.file() + ":2: not a line of a trail");
}

TEST_F(Reading, reads_lines_longer_than_its_buffer_and_refuses_endless_ones) {
  const std::string file = store / "lines";
  write_file(file, std::string(5'000'000, 'a') + "\nb\n");
  auto bytes = TrailBytes::open(file);
  ASSERT_OK(bytes);
  LineSource source(*bytes);
  std::string_view line;
  ASSERT_TRUE(*source.next(line));
  EXPECT_EQ(line.size(), 5'000'000u);
  ASSERT_TRUE(*source.next(line));
  EXPECT_EQ(line, "b");
  EXPECT_EQ(source.line_number(), 2u);

  write_file(file, std::string(LineSource::kMaxLineBytes - 1, 'a') + "\n");
  LineSource at_the_limit(*bytes);
  EXPECT_TRUE(*at_the_limit.next(line));
  write_file(file, std::string(LineSource::kMaxLineBytes + 1, 'a') + "\n");
  LineSource beyond(*bytes);
  EXPECT_FALSE(beyond.next(line));
}

TEST_F(Reading, gives_the_bytes_of_a_line_back) {
  EXPECT_EQ(payload_of(nlohmann::json{{"text", std::string("a\0b", 3)}}), std::string("a\0b", 3));
  EXPECT_EQ(payload_of(nlohmann::json{{"b64", "+/+/"}}), "\xfb\xff\xbf");
  EXPECT_EQ(payload_of(nlohmann::json{{"b64", "Zg=="}}), "f");
  for (const char* broken : {"Zg=", "Zg", "Z===", "Zg*=", "=", "Z=g="}) {
    EXPECT_NE(payload_of(nlohmann::json{{"b64", broken}}), "f") << broken;
  }
  EXPECT_EQ(payload_of(nlohmann::json{{"b64", "Zg=="}, {"text", 7}}), "f");
  EXPECT_EQ(payload_of(nlohmann::json::object()), std::nullopt);
}

TEST_F(Reading, puts_a_direction_together_and_keeps_others_out) {
  append(opened(next()));
  in(0, "he");
  out(0, "OUT");
  append(data(next(0xbeef), Direction::kIn, 0, "another's"));
  in(2, "\xff\xfe");
  in(4, "llo");
  append(closed(next(), counted(7, 3)));
  const auto got = reassembled();
  EXPECT_EQ(got.bytes, "he\xff\xfello");
  EXPECT_EQ(got.outcome.hole, "");
  EXPECT_TRUE(got.outcome.closed);
  EXPECT_EQ(reassembled(Direction::kOut).bytes, "OUT");
}

TEST_F(Reading, puts_lines_in_order_that_are_not) {
  in(5, "56789");
  in(10, "abc");
  in(0, "01234");
  append(closed(next(), counted(13, 0)));
  const auto got = reassembled();
  EXPECT_EQ(got.bytes, "0123456789abc");
  EXPECT_EQ(got.outcome.hole, "");
}

TEST_F(Reading, stops_at_a_gap_and_names_it) {
  in(0, "01234");
  append(gap(next(), Direction::kIn, 5, 100, GapWhy::kSplice));
  in(105, "more");
  const auto got = reassembled();
  EXPECT_EQ(got.bytes, "01234");
  EXPECT_EQ(got.outcome.hole, "a gap, splice: 100 bytes at offset 5 passed unrecorded");
}

TEST_F(Reading, stops_where_a_line_is_missing) {
  in(0, "01234");
  in(6, "6789");
  const auto got = reassembled();
  EXPECT_EQ(got.bytes, "01234");
  EXPECT_EQ(got.outcome.hole, "the trail lacks 1 byte at offset 5");
}

TEST_F(Reading, misses_bytes_at_the_end_that_the_close_counts) {
  append(opened(next()));
  in(0, "01234");
  append(closed(next(), counted(8, 0)));
  EXPECT_EQ(reassembled().outcome.hole, "the trail lacks 3 bytes at offset 5");
}

TEST_F(Reading, never_hands_out_a_byte_twice) {
  in(0, "01234");
  in(3, "34");
  const auto got = reassembled();
  EXPECT_EQ(got.bytes, "01234");
  EXPECT_EQ(got.outcome.hole, "the trail holds 2 bytes at offset 3 twice");
}

TEST_F(Reading, does_not_believe_a_length_that_the_bytes_do_not_have) {
  ASSERT_OK(trail.commit(0));
  std::ofstream(trail.file(), std::ios::app)
      << R"({"ev":"data","seq":2,"conn":"c7f3a","dir":"in","off":0,"len":9,"text":"short"})"
      << "\n";
  EXPECT_EQ(reassembled().outcome.hole, "a line does not decode to its 9 bytes at offset 0");
}

TEST_F(Reading, tells_an_unknown_connection_from_an_empty_one) {
  append(opened(next()));
  append(closed(next(), counted(0, 0)));
  EXPECT_TRUE(reassembled().outcome.connection);
  EXPECT_EQ(reassembled().bytes, "");
  EXPECT_FALSE(reassembled(Direction::kIn, "c1").outcome.connection);
}

TEST_F(Reading, stops_when_nobody_takes_the_bytes) {
  in(0, "01234");
  in(5, "56789");
  ASSERT_OK(trail.commit(0));
  auto reader = TrailReader::open(trail.file());
  const auto outcome = reassemble(*reader, "c7f3a", "", Direction::kIn, [](std::string_view) { return false; });
  ASSERT_OK(outcome);
  EXPECT_EQ(outcome->bytes, 5u);
  EXPECT_EQ(outcome->hole, "");
}

TEST_F(Reading, sums_an_ended_session_up_from_its_last_line) {
  append(opened(next()));
  in(0, "01234");
  ASSERT_OK(trail.end(1500 * kMillisecond, "ended"));
  const auto summary = summarize(only_trail());
  ASSERT_OK(summary);
  EXPECT_EQ(summary->sid, kSid);
  EXPECT_EQ(summary->session, kSession);
  EXPECT_EQ(summary->started, "2026-11-23T22:30:00.000000Z");
  EXPECT_EQ(summary->duration_ms, 1500u);
  EXPECT_EQ(summary->totals, trail.totals());
  EXPECT_EQ(summary->state, SessionState::kEnded);
}

TEST_F(Reading, calls_a_session_live_only_while_a_master_holds_the_directory) {
  append(opened(next()));
  in(0, "01234");
  ASSERT_OK(trail.commit(0));
  EXPECT_EQ(summarize(only_trail())->state, SessionState::kUnfinished);
  EXPECT_EQ(summarize(only_trail())->totals.bytes_in, 5u);
  EXPECT_EQ(summarize(only_trail())->duration_ms, 2u);
  const auto lock = link::lock_directory(store / kSid);
  ASSERT_TRUE(lock && *lock);
  EXPECT_EQ(summarize(only_trail())->state, SessionState::kLive);
}

TEST_F(Reading, calls_an_older_unfinished_session_of_a_live_sid_unfinished) {
  SessionIdentity newer = identity();
  newer.session.back() = '9';
  Trail second(store.path(), kSid);
  ASSERT_OK(second.begin(newer, master(), kSecond));
  const auto lock = link::lock_directory(store / kSid);
  ASSERT_TRUE(lock && *lock);
  const auto trails = trails_of_sid(store.path(), kSid);
  ASSERT_OK(trails);
  ASSERT_EQ(trails->size(), 2u);
  EXPECT_EQ(summarize(trails->at(0))->state, SessionState::kUnfinished);
  EXPECT_EQ(summarize(trails->at(1))->state, SessionState::kLive);
}

TEST_F(Reading, refuses_a_trail_of_a_later_format) {
  std::string text = contents(trail.file());
  text.replace(text.find("\"v\":1"), 5, "\"v\":2");
  write_file(trail.file(), text);
  const auto summary = summarize(only_trail());
  ASSERT_FALSE(summary);
  EXPECT_NE(summary.error().message.find(":1: format version 2"), std::string::npos) << summary.error().message;
}

TEST_F(Reading, lists_the_store_oldest_first_and_passes_over_what_is_no_trail) {
  SessionIdentity other = identity();
  other.session.back() = '9';
  Trail later(store.path(), "bob");
  ASSERT_OK(later.begin(other, master(), 60 * kSecond));
  write_file(store / "README", "hello");
  write_file(store / (kSid + "/notes.jsonl"), "hello");
  const auto trails = trails_of_store(store.path());
  ASSERT_OK(trails);
  ASSERT_EQ(trails->size(), 2u);
  EXPECT_EQ(trails->at(0).path(), trail.file());
  EXPECT_EQ(trails->at(1).path(), later.file());
  EXPECT_TRUE(trails_of_store(store / "absent")->empty());
}

}  // namespace
}  // namespace sidrec::trail_test
