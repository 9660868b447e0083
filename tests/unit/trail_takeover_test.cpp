#include "recorder/trail/trail_scan.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

struct Takeover : ::testing::Test {
  TempDir store;
  std::string file;

  // A master that dies: everything it committed is in the file, and nothing else of it remains.
  void first_master(const std::vector<std::pair<std::string, TestEvent>>& events) {
    Trail trail(store.path(), kSid);
    ASSERT_OK(trail.begin(identity(), master("r1"), 0));
    for (const auto& [rec, event] : events) trail.append(rec, event, false);
    ASSERT_OK(trail.commit(0));
    file = trail.file();
  }
  void append_to_file(std::string_view bytes) {
    std::ofstream(file, std::ios::binary | std::ios::app)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::vector<nlohmann::json> lines() const { return json_lines(contents(file)); }
};

TEST_F(Takeover, goes_on_with_the_next_seq_and_epoch_and_says_who_took_over_from_whom) {
  first_master({{"r1", opened({})}});
  Trail trail(store.path(), kSid);
  const auto marks = trail.resume(identity(), master("r2"), 5 * kSecond);
  ASSERT_OK(marks);
  EXPECT_EQ(trail.epoch(), 2u);
  const auto change = lines().back();
  EXPECT_EQ(change["ev"], "master.change");
  EXPECT_EQ(change["seq"], 3);
  EXPECT_EQ(change["epoch"], 2);
  EXPECT_EQ(change["from"], "r1");
  EXPECT_EQ(change["to"], "r2");
  EXPECT_EQ(change["why"], "master gone");
  EXPECT_EQ(change["repaired_bytes"], 0);
}

TEST_F(Takeover, of_a_session_that_nobody_alive_knew_is_a_recovery) {
  first_master({});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(0), master("r2"), kSecond));
  EXPECT_EQ(lines().back()["why"], "recovered");
}

TEST_F(Takeover, by_a_third_master_names_the_second) {
  first_master({});
  for (const char* rec : {"r2", "r3"}) {
    Trail trail(store.path(), kSid);
    ASSERT_OK(trail.resume(identity(), master(rec), kSecond));
  }
  EXPECT_EQ(lines().back()["from"], "r2");
  EXPECT_EQ(lines().back()["epoch"], 3);
}

TEST_F(Takeover, has_an_epoch_above_every_one_that_it_heard_of) {
  first_master({});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(7), master("r2"), kSecond));
  EXPECT_EQ(lines().back()["epoch"], 8);
}

TEST_F(Takeover, cuts_a_torn_last_line_at_every_place_it_can_tear_and_counts_its_bytes) {
  const std::string whole = R"({"ev":"data","ts":"2026-11-23T22:30:01.000000Z","sid":"alice@203.0.113.7","text":"x"})";
  for (size_t torn = 1; torn <= whole.size(); torn += 7) {
    const TempDir fresh;
    Trail first(fresh.path(), kSid);
    ASSERT_OK(first.begin(identity(), master("r1"), 0));
    const size_t before = contents(first.file()).size();
    std::ofstream(first.file(), std::ios::app) << whole.substr(0, torn);
    Trail trail(fresh.path(), kSid);
    ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
    const auto all = json_lines(contents(first.file()));
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[1]["repaired_bytes"], torn);
    EXPECT_EQ(all[1]["seq"], 2);
    EXPECT_EQ(contents(first.file()).substr(before, 8), "{\"ev\":\"m");
  }
}

TEST_F(Takeover, cuts_the_zeros_that_a_power_loss_leaves_at_the_end) {
  first_master({{"r1", opened({})}});
  append_to_file(std::string(3 * 1024 * 1024, '\0'));
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
  EXPECT_EQ(lines().back()["repaired_bytes"], 3 * 1024 * 1024);
}

TEST_F(Takeover, of_a_trail_whose_first_line_never_was_whole_begins_it_properly) {
  first_master({});
  std::filesystem::resize_file(file, 20);
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
  ASSERT_OK(trail.end(2 * kSecond, "recovered"));
  const auto all = lines();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["ev"], "session.start");
  EXPECT_EQ(all[0]["seq"], 1);
  EXPECT_EQ(all[1]["repaired_bytes"], 20);
  EXPECT_EQ(all[2]["duration_ms"], 1000);
}

TEST_F(Takeover, knows_the_last_position_of_every_recorder_and_lane) {
  first_master({{"r1", data({.lane = 0, .pos = 64}, Direction::kIn, 0, "a")},
                {"r2", data({.lane = 0, .pos = 500}, Direction::kIn, 0, "a")},
                {"r1", data({.lane = 3, .pos = 8}, Direction::kOut, 0, "a")},
                {"r1", gap({.lane = 0, .pos = 128}, Direction::kIn, 1, 9, GapWhy::kSplice)},
                {"r1", closed({.lane = kNoLane, .pos = 9}, counted(10, 1), CloseWhy::kHostDied)}});
  Trail trail(store.path(), kSid);
  const auto marks = trail.resume(identity(), master("r2"), kSecond);
  ASSERT_OK(marks);
  EXPECT_EQ(*marks, (Watermarks{{{"r1", 0}, 128}, {{"r1", 3}, 8}, {{"r2", 0}, 500}}));
}

TEST_F(Takeover, writes_no_second_close_where_no_record_tells_them_apart) {
  first_master({{"r1", opened({})},
                {"r9", opened({})},
                {"r1", closed({.lane = kNoLane, .pos = 0x7f3a}, counted(0, 0), CloseWhy::kHostDied)}});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
  const At dead{.time_ns = 2 * kSecond, .lane = kNoLane, .pos = 0x7f3a};
  trail.append("r1", closed(dead, counted(0, 0), CloseWhy::kHostDied), false);
  EXPECT_EQ(trail.pending_bytes(), 0u);
  trail.append("r9", closed(dead, counted(0, 0), CloseWhy::kHostDied), false);
  EXPECT_GT(trail.pending_bytes(), 0u) << "another recorder's close of it is another fact";
}

TEST_F(Takeover, writes_no_close_of_what_is_not_open_by_its_lines) {
  first_master({{"r1", opened({})}, {"r1", closed({.lane = kNoLane, .pos = 0x7f3a}, counted(0, 0))}});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
  trail.append("r1", closed({.pos = 640}, counted(0, 0)), false);
  EXPECT_EQ(trail.pending_bytes(), 0u) << "one by the kernel's word, one by its record";
}

TEST_F(Takeover, ends_with_the_sums_and_the_duration_of_all_masters) {
  first_master({{"r1", opened({})},
                {"r1", data({.time_ns = kSecond}, Direction::kIn, 0, "12345")},
                {"r1", gap({.time_ns = kSecond}, Direction::kOut, 0, 100, GapWhy::kSendfile)}});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), 2 * kSecond));
  trail.append("r1", data({.time_ns = 3 * kSecond}, Direction::kIn, 5, "678"), false);
  trail.append("r1", closed({.time_ns = 3 * kSecond}, counted(8, 100)), false);
  ASSERT_OK(trail.end(10 * kSecond, "ended"));
  const auto end = lines().back();
  EXPECT_EQ(end["connections"], 1);
  EXPECT_EQ(end["bytes_in"], 8);
  EXPECT_EQ(end["bytes_out"], 100);
  EXPECT_EQ(end["records"], 5);
  EXPECT_EQ(end["gaps"], 1);
  EXPECT_EQ(end["duration_ms"], 10'000);
}

TEST_F(Takeover, keeps_time_from_falling_across_masters) {
  first_master({{"r1", data({.time_ns = 9 * kSecond}, Direction::kIn, 0, "a")}});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), 10 * kSecond));
  trail.append("r1", data({.time_ns = 8 * kSecond}, Direction::kIn, 1, "b"), false);
  ASSERT_OK(trail.commit(0));
  EXPECT_EQ(lines().back()["late"], true);
}

TEST_F(Takeover, by_a_master_whose_clock_was_read_too_early_dates_nothing_before_the_line_above) {
  first_master({{"r1", opened({.time_ns = 3 * kSecond})}});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), 2 * kSecond));
  ASSERT_OK(trail.end(kSecond, "ended"));
  std::string last;
  for (const auto& line : lines()) {
    EXPECT_GE(std::string(line["ts"]), last) << line;
    last = line["ts"];
  }
}

TEST_F(Takeover, leaves_lines_alone_that_are_none_of_ours) {
  first_master({{"r1", opened({})}});
  append_to_file("# an auditor's note\n");
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
  EXPECT_NE(contents(file).find("\n# an auditor's note\n{\"ev\":\"master.change\""), std::string::npos);
  EXPECT_EQ(trail.totals().connections, 1u);
}

TEST_F(Takeover, reads_lines_whose_keys_another_hand_has_sorted) {
  first_master({});
  append_to_file(
      R"({"conn":"c9","dir":"in","epoch":4,"ev":"data","len":5,"off":0,"pos":"2:77","rec":"rx","seq":9,"text":"12345","ts":"2026-11-23T22:30:01.000000Z"})"
      "\n");
  Trail trail(store.path(), kSid);
  const auto marks = trail.resume(identity(), master("r2"), 2 * kSecond);
  ASSERT_OK(marks);
  EXPECT_EQ(*marks, (Watermarks{{{"rx", 2}, 77}}));
  EXPECT_EQ(lines().back()["seq"], 10);
  EXPECT_EQ(lines().back()["epoch"], 5);
  EXPECT_EQ(trail.totals().bytes_in, 5u);
}

TEST_F(Takeover, refuses_a_session_that_has_ended_and_one_that_is_not_there) {
  first_master({});
  {
    Trail trail(store.path(), kSid);
    ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
    ASSERT_OK(trail.end(2 * kSecond, "ended"));
  }
  Trail trail(store.path(), kSid);
  EXPECT_FALSE(trail.resume(identity(), master("r3"), 3 * kSecond));
  SessionIdentity absent = identity();
  absent.session.back() = '0';
  const auto resumed = trail.resume(absent, master("r3"), 3 * kSecond);
  ASSERT_FALSE(resumed);
  EXPECT_NE(resumed.error().message.find(absent.session), std::string::npos);
}

TEST_F(Takeover, finds_the_trail_of_a_peers_session_also_where_the_live_link_is_gone) {
  first_master({});
  std::filesystem::remove(store / (kSid + "/.live"));
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
  EXPECT_TRUE(std::filesystem::is_symlink(store / (kSid + "/.live")));
}

TEST_F(Takeover, leaves_another_sessions_live_link_where_it_is_at_its_end) {
  first_master({});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
  std::filesystem::remove(store / (kSid + "/.live"));
  const std::string other = "20261124T000000Z-01938a5e-7c00-7f3a-8b21-000000000000.jsonl";
  std::filesystem::create_symlink(other, store / (kSid + "/.live"));
  ASSERT_OK(trail.end(2 * kSecond, "ended"));
  EXPECT_EQ(std::filesystem::read_symlink(store / (kSid + "/.live")), other);
}

TEST_F(Takeover, finds_nothing_unfinished_after_a_proper_end_or_behind_a_broken_link) {
  EXPECT_FALSE(Trail::find_unfinished(store.path(), kSid));
  first_master({});
  const auto found = Trail::find_unfinished(store.path(), kSid);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->file, file);
  EXPECT_EQ(found->session, kSession);

  const std::string live = store / (kSid + "/.live");
  const auto point_at = [&](const std::string& target) {
    std::filesystem::remove(live);
    std::filesystem::create_symlink(target, live);
    return Trail::find_unfinished(store.path(), kSid).has_value();
  };
  EXPECT_FALSE(point_at("../../../etc/passwd"));
  EXPECT_FALSE(point_at("20261124T000000Z-01938a5e-7c00-7f3a-8b21-000000000000.jsonl"));
  EXPECT_TRUE(point_at(std::filesystem::path(file).filename()));
}

TEST_F(Takeover, does_not_go_on_with_a_trail_that_ended_a_moment_before_its_link_went) {
  first_master({});
  Trail trail(store.path(), kSid);
  ASSERT_OK(trail.resume(identity(), master("r2"), kSecond));
  ASSERT_OK(trail.end(2 * kSecond, "ended"));
  std::filesystem::create_symlink(std::filesystem::path(file).filename(), store / (kSid + "/.live"));
  EXPECT_FALSE(Trail::find_unfinished(store.path(), kSid));
}

TEST_F(Takeover, counts_what_the_writer_counted_whatever_was_in_the_lines) {
  Trail first(store.path(), "q\"uote \xff");
  ASSERT_OK(first.begin(identity(), master("r\"1"), 0));
  for (uint64_t i = 0; i < 500; ++i) {
    const At at{.time_ns = i * kMillisecond, .lane = static_cast<uint32_t>(i % 3), .pos = i, .conn = i % 7};
    const std::string bytes = std::string(i, static_cast<char>(i)) + "\",\"off\":99,\"seq\":7";
    const std::string rec = i % 2 ? "r\"1" : "r2";
    if (i % 50 == 0) first.append(rec, opened(at), false);
    first.append(rec, data(at, i % 4 ? Direction::kIn : Direction::kOut, i, bytes), i % 11 == 0);
    if (i % 90 == 89) first.append(rec, closed(at, counted(i, i)), false);
  }
  ASSERT_OK(first.commit(0));
  auto bytes = TrailBytes::open(first.file());
  ASSERT_OK(bytes);
  const auto scan = scan_trail(*bytes);
  ASSERT_OK(scan);
  EXPECT_EQ(scan->totals.totals(), first.totals());
  EXPECT_EQ(scan->foreign_lines, 0u);
  EXPECT_EQ(scan->last_seq, json_lines(contents(first.file())).back()["seq"]);
  EXPECT_EQ(scan->watermarks.size(), 6u);
  EXPECT_EQ(scan->watermarks.at({"r\"1", 1}), 499u);
}

}  // namespace
}  // namespace sidrec::trail_test
