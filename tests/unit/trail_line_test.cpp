#include "recorder/trail/line.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

const std::string kCommon =
    R"("ts":"2026-11-23T22:30:00.000098Z","sid":"alice@203.0.113.7","session":")" + kSession + '"';

std::string line_of(const EventView& event, bool late = false, std::string_view rec = "r4100") {
  LineWriter writer(kSid, identity());
  std::string out;
  writer.event(out, 2, rec, event, late);
  return out;
}

nlohmann::json json_of(const EventView& event) { return nlohmann::json::parse(line_of(event)); }

TEST(Line, of_an_opened_connection_has_its_keys_in_their_order) {
  EXPECT_EQ(line_of(opened({})),
            R"({"ev":"conn.open",)" + kCommon + R"(,"seq":2,"epoch":1,"rec":"r4100","pos":"0:64","conn":"c7f3a",)" +
                R"("client_ip":"203.0.113.7","client_port":50122,"server_ip":"10.0.0.9","server_port":6380,)" +
                R"("pid":4100,"program":"socat","sid_source":"env","via":"accept"})" + "\n");
}

TEST(Line, of_text_is_text) {
  EXPECT_EQ(line_of(data({}, Direction::kIn, 0, "*1\r\n$4\r\nPING\r\n")),
            R"({"ev":"data",)" + kCommon + R"(,"seq":2,"epoch":1,"rec":"r4100","pos":"0:64","conn":"c7f3a",)" +
                R"("dir":"in","off":0,"len":14,"text":"*1\r\n$4\r\nPING\r\n"})" + "\n");
}

TEST(Line, of_bytes_that_are_no_text_is_base64_of_all_of_them) {
  const auto line = json_of(data({}, Direction::kOut, 7, "text, then \xff"));
  EXPECT_FALSE(line.contains("text"));
  EXPECT_EQ(line["b64"], "dGV4dCwgdGhlbiD/");
  EXPECT_EQ(line["dir"], "out");
  EXPECT_EQ(line["off"], 7);
  EXPECT_EQ(line["len"], 12);
}

TEST(Line, of_the_largest_payload_at_its_worst_stays_one_line) {
  const std::string worst(kMaxEventPayload, '\n');
  const std::string line = line_of(data({}, Direction::kIn, 0, worst));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(nlohmann::json::parse(line)["text"], worst);
}

TEST(Line, of_a_gap_says_what_is_missing_and_why) {
  EXPECT_EQ(line_of(gap({}, Direction::kOut, 7, 4096, GapWhy::kSplice, 3)),
            R"({"ev":"gap",)" + kCommon + R"(,"seq":2,"epoch":1,"rec":"r4100","pos":"0:64","conn":"c7f3a",)" +
                R"("dir":"out","off":7,"len":4096,"records":3,"why":"splice"})" + "\n");
}

TEST(Line, has_a_word_for_every_reason_of_a_gap_and_for_one_it_does_not_know) {
  const auto why = [](int value) { return json_of(gap({}, Direction::kIn, 0, 1, static_cast<GapWhy>(value)))["why"]; };
  const std::vector<std::string> words = {"unknown", "overflow", "splice",     "sendfile", "discarded",
                                          "no-ring", "fault",    "spool-full", "unknown"};
  for (size_t i = 0; i < words.size(); ++i) EXPECT_EQ(why(static_cast<int>(i)), words[i]);
}

TEST(Line, of_a_close_proves_completeness_only_with_both_counts_of_the_kernel) {
  EXPECT_EQ(
      line_of(closed({}, counted(14, 7))),
      R"({"ev":"conn.close",)" + kCommon + R"(,"seq":2,"epoch":1,"rec":"r4100","pos":"0:64","conn":"c7f3a",)" +
          R"("bytes_in":14,"bytes_out":7,"kernel_bytes_in":14,"kernel_bytes_out":7,"complete":true,"why":"closed"})" +
          "\n");
  ConnClose half = counted(14, 7);
  half.kernel_out_known = 0;
  const auto line = json_of(closed({}, half));
  EXPECT_TRUE(line["kernel_bytes_out"].is_null());
  EXPECT_EQ(line["kernel_bytes_in"], 14);
  EXPECT_TRUE(line["complete"].is_null());
}

TEST(Line, of_a_close_is_incomplete_when_the_kernel_counted_otherwise) {
  ConnClose close = counted(14, 7);
  close.kernel_bytes_in = 15;
  EXPECT_EQ(json_of(closed({}, close))["complete"], false);
  close.kernel_out_known = 0;
  EXPECT_EQ(json_of(closed({}, close))["complete"], false);
}

TEST(Line, of_a_close_is_incomplete_when_bytes_are_missing_whatever_the_kernel_says) {
  ConnClose close = counted(14, 7);
  close.missing_out = 7;
  EXPECT_EQ(json_of(closed({}, close))["complete"], false);
  close.kernel_bytes_out = 0;
  EXPECT_EQ(json_of(closed({}, close))["complete"], false);
  close.kernel_in_known = close.kernel_out_known = 0;
  EXPECT_EQ(json_of(closed({}, close))["complete"], false);
}

TEST(Line, of_a_close_says_who_ended_it) {
  EXPECT_EQ(json_of(closed({}, counted(0, 0), CloseWhy::kExited))["why"], "host exited");
  EXPECT_EQ(json_of(closed({}, counted(0, 0), CloseWhy::kHostDied))["why"], "host died");
  EXPECT_EQ(json_of(closed({}, counted(0, 0), static_cast<CloseWhy>(77)))["why"], "unknown");
}

TEST(Line, leaves_out_what_is_not_known_of_a_connection) {
  ConnOpen nothing{};
  nothing.via = Via::kUnknown;
  const auto line = json_of(opened({}, nothing));
  for (const char* key : {"client_ip", "client_port", "server_ip", "server_port", "pid", "program", "sid_source"}) {
    EXPECT_FALSE(line.contains(key)) << key;
  }
  EXPECT_EQ(line["via"], "unknown");
}

TEST(Line, writes_ipv6_in_its_short_form) {
  ConnOpen open = socat_from_203_0_113_7();
  open.family = AF_INET6;
  inet_pton(AF_INET6, "2001:db8::1", open.client_addr);
  inet_pton(AF_INET6, "::ffff:10.0.0.9", open.server_addr);
  const auto line = json_of(opened({}, open));
  EXPECT_EQ(line["client_ip"], "2001:db8::1");
  EXPECT_EQ(line["server_ip"], "::ffff:10.0.0.9");
}

TEST(Line, of_a_fact_that_no_record_caused_has_no_lane) {
  EXPECT_EQ(json_of(closed({.lane = kNoLane, .pos = 0x7f3a}, counted(0, 0), CloseWhy::kHostDied))["pos"], "-:32570");
}

TEST(Line, that_comes_late_says_so_in_its_last_key) {
  const std::string line = line_of(data({}, Direction::kIn, 0, "x"), true);
  EXPECT_TRUE(line.ends_with(R"("text":"x","late":true})"
                             "\n"))
      << line;
}

TEST(Line, keeps_a_hostile_sid_program_and_recorder_inside_their_quotes) {
  LineWriter writer("x\",\"ev\":\"forged\n\xff", identity());
  ConnOpen open = socat_from_203_0_113_7();
  std::memset(open.program, '"', sizeof open.program);
  std::string out;
  writer.event(out, 1, "r\"\n", opened({}, open), false);
  EXPECT_EQ(out.find('\n'), out.size() - 1);
  const auto line = nlohmann::json::parse(out);
  EXPECT_EQ(line["ev"], "conn.open");
  EXPECT_EQ(line["sid"], "x\",\"ev\":\"forged%0A%FF");
  EXPECT_EQ(line["rec"], "r\"\n");
  EXPECT_EQ(line["program"], std::string(31, '"'));
}

TEST(Line, changes_recorder_from_line_to_line) {
  LineWriter writer(kSid, identity());
  std::string out;
  for (const char* rec : {"r1", "r2", "r2", "r1"}) writer.event(out, 1, rec, data({}, Direction::kIn, 0, "x"), false);
  std::string recs;
  for (const auto& line : json_lines(out)) recs += line["rec"].get<std::string>();
  EXPECT_EQ(recs, "r1r2r2r1");
}

TEST(Line, holds_a_time_that_a_peer_made_up_within_the_calendar) {
  const auto ts = [](uint64_t time_ns) {
    return json_of(data({.time_ns = time_ns}, Direction::kIn, 0, "x"))["ts"].get<std::string>();
  };
  EXPECT_EQ(ts(~uint64_t{0}), "2262-04-11T23:47:16.854775Z");
  EXPECT_EQ(ts(uint64_t{1} << 63), "2262-04-11T23:47:16.854775Z");
}

}  // namespace
}  // namespace sidrec::trail_test
