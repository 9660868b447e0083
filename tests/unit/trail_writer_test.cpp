#include <sys/resource.h>

#include <csignal>

#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

// While it lives, files of this process end at `bytes`: as a full disk, but exact to the byte (setrlimit(2)).
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : signal_before_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { make_room(); }
  void make_room() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_before_);
  }

 private:
  rlimit before_{};
  void (*signal_before_)(int);
};

struct Writer : ::testing::Test {
  TempDir store;
  Trail trail{store.path(), kSid};
  std::string dir = store / kSid;

  void begin() { ASSERT_OK(trail.begin(identity(), master(), 98 * kMicrosecond)); }
  void append(const TestEvent& event, bool late = false) { trail.append("r4100", event, late); }
  std::string text() const { return contents(trail.file()); }
};

TEST_F(Writer, begins_a_session_with_a_readable_first_line_and_a_live_link) {
  begin();
  EXPECT_EQ(trail.file(), dir + "/20261123T223000Z-" + kSession + ".jsonl");
  EXPECT_EQ(
      text(),
      R"({"ev":"session.start","ts":"2026-11-23T22:30:00.000098Z","sid":"alice@203.0.113.7","session":")" + kSession +
          R"(","seq":1,"epoch":1,"rec":"r4100","v":1,"host":"bastion1","pid":4101,"program":"sidrec-recorder","uid":997,"installed":true})" +
          "\n");
  EXPECT_EQ(std::filesystem::read_symlink(dir + "/.live"), "20261123T223000Z-" + kSession + ".jsonl");
}

TEST_F(Writer, makes_a_trail_that_its_group_may_read_and_the_world_may_not) {
  begin();
  struct stat made {};
  ASSERT_EQ(stat(trail.file().c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0137, 0u);
}

TEST_F(Writer, makes_a_line_visible_by_commit_and_not_before) {
  begin();
  append(opened({}));
  EXPECT_EQ(json_lines(text()).size(), 1u);
  EXPECT_GT(trail.pending_bytes(), 0u);
  ASSERT_OK(trail.commit(0));
  EXPECT_EQ(json_lines(text()).size(), 2u);
  EXPECT_EQ(trail.pending_bytes(), 0u);
}

TEST_F(Writer, numbers_lines_densely_from_one) {
  begin();
  for (uint64_t i = 0; i < 100; ++i) append(data({.time_ns = kSecond + i, .pos = i}, Direction::kIn, i, "x"));
  ASSERT_OK(trail.end(2 * kSecond, "ended"));
  uint64_t seq = 0;
  for (const auto& line : json_lines(text())) EXPECT_EQ(line["seq"], ++seq);
  EXPECT_EQ(seq, 102u);
}

TEST_F(Writer, ends_a_session_with_its_sums_and_takes_the_live_link_away) {
  begin();
  append(opened({}));
  append(opened({.conn = 0xbeef}));
  append(data({}, Direction::kIn, 0, "12345"));
  append(gap({}, Direction::kIn, 5, 10, GapWhy::kOverflow));
  append(data({.conn = 0xbeef}, Direction::kOut, 0, "123"));
  append(closed({}, counted(15, 0)));
  ASSERT_OK(trail.end(98 * kMicrosecond + 1234 * kMillisecond, "ended"));
  const auto end = json_lines(text()).back();
  EXPECT_EQ(end["ev"], "session.end");
  EXPECT_EQ(end["connections"], 2);
  EXPECT_EQ(end["bytes_in"], 15);
  EXPECT_EQ(end["bytes_out"], 3);
  EXPECT_EQ(end["records"], 6);
  EXPECT_EQ(end["gaps"], 1);
  EXPECT_EQ(end["duration_ms"], 1234);
  EXPECT_EQ(end["why"], "ended");
  EXPECT_FALSE(std::filesystem::is_symlink(dir + "/.live"));
}

TEST_F(Writer, counts_a_connection_once_that_two_recorders_see) {
  begin();
  trail.append("r1", opened({}), false);
  trail.append("r2", opened({}), false);
  trail.append("r1", closed({}, counted(0, 0)), false);
  trail.append("r2", closed({}, counted(0, 0)), false);
  EXPECT_EQ(trail.totals().connections, 1u);
  EXPECT_EQ(trail.totals().records, 4u);
}

TEST_F(Writer, marks_a_line_late_that_goes_back_in_time_even_if_nobody_told) {
  begin();
  append(data({.time_ns = 3 * kSecond}, Direction::kIn, 0, "a"));
  append(data({.time_ns = 2 * kSecond}, Direction::kIn, 1, "b"));
  append(data({.time_ns = 3 * kSecond}, Direction::kIn, 2, "c"));
  append(data({.time_ns = 4 * kSecond}, Direction::kIn, 3, "d"), true);
  ASSERT_OK(trail.commit(0));
  std::string late;
  for (const auto& line : json_lines(text())) {
    if (line.value("late", false)) late += line["text"].get<std::string>();
  }
  EXPECT_EQ(late, "bd");
  EXPECT_EQ(json_lines(text())[2]["ts"], "2026-11-23T22:30:02.000000Z");
}

TEST_F(Writer, does_not_call_late_what_differs_by_less_than_ts_shows) {
  begin();
  append(data({.time_ns = kSecond + 999}, Direction::kIn, 0, "a"));
  append(data({.time_ns = kSecond}, Direction::kIn, 1, "b"));
  ASSERT_OK(trail.commit(0));
  EXPECT_FALSE(json_lines(text()).back().contains("late"));
}

TEST_F(Writer, on_a_full_disk_keeps_what_did_not_fit_and_goes_on_at_the_very_byte) {
  begin();
  for (uint64_t i = 0; i < 1000; ++i)
    append(data({.time_ns = kSecond + i, .pos = i}, Direction::kIn, i * 7, "PAYLOAD"));
  const size_t first_line = text().size();
  const size_t all = first_line + trail.pending_bytes();
  {
    FullDisk disk(first_line + 10'007);
    const auto failed = trail.commit(0);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, EFBIG);
    EXPECT_NE(failed.error().message.find(trail.file()), std::string::npos) << failed.error().message;
    EXPECT_EQ(text().size(), first_line + 10'007);
    EXPECT_EQ(trail.pending_bytes(), all - first_line - 10'007);
    ASSERT_FALSE(trail.commit(0));
    append(data({.time_ns = 2 * kSecond, .pos = 1000}, Direction::kIn, 7000, "more"));
  }
  ASSERT_OK(trail.commit(0));
  uint64_t seq = 0;
  for (const auto& line : json_lines(text())) EXPECT_EQ(line["seq"], ++seq);
  EXPECT_EQ(seq, 1002u);
}

TEST_F(Writer, that_could_not_write_the_end_writes_it_once_when_there_is_room) {
  begin();
  FullDisk disk(text().size() + 10);
  EXPECT_FALSE(trail.end(kSecond, "ended"));
  EXPECT_FALSE(trail.end(2 * kSecond, "ended"));
  EXPECT_TRUE(std::filesystem::is_symlink(dir + "/.live"));
  disk.make_room();
  ASSERT_OK(trail.end(3 * kSecond, "ended"));
  const auto lines = json_lines(text());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["ts"], "2026-11-23T22:30:01.000000Z");
  EXPECT_FALSE(std::filesystem::is_symlink(dir + "/.live"));
}

TEST_F(Writer, that_cannot_begin_on_a_full_disk_leaves_no_trail_and_may_try_again) {
  FullDisk disk(5);
  EXPECT_FALSE(trail.begin(identity(), master(), 0));
  EXPECT_FALSE(std::filesystem::exists(trail.file()));
  EXPECT_FALSE(std::filesystem::is_symlink(dir + "/.live"));
  disk.make_room();
  ASSERT_OK(trail.begin(identity(), master(), 0));
  EXPECT_EQ(json_lines(text()).size(), 1u);
}

TEST_F(Writer, never_writes_into_a_file_that_is_there_already) {
  begin();
  Trail other(store.path(), kSid);
  EXPECT_FALSE(other.begin(identity(), master(), 98 * kMicrosecond));
  EXPECT_EQ(json_lines(text()).size(), 1u);
}

TEST_F(Writer, follows_no_symlink_that_waits_under_the_trails_name) {
  std::filesystem::create_directories(dir);
  write_file(store / "victim", "precious");
  std::filesystem::create_symlink(store / "victim", dir + "/20261123T223000Z-" + kSession + ".jsonl");
  EXPECT_FALSE(trail.begin(identity(), master(), 98 * kMicrosecond));
  EXPECT_EQ(contents(store / "victim"), "precious");
}

TEST_F(Writer, takes_no_directory_that_is_a_symlink) {
  std::filesystem::create_directories(store / "elsewhere");
  std::filesystem::create_directory_symlink(store / "elsewhere", dir);
  EXPECT_FALSE(trail.begin(identity(), master(), 0));
  EXPECT_TRUE(std::filesystem::is_empty(store / "elsewhere"));
}

TEST_F(Writer, refuses_a_session_id_that_would_lead_elsewhere) {
  SessionIdentity hostile = identity();
  hostile.session = "../../../../../../../../../../tmp/abc";
  EXPECT_FALSE(trail.begin(hostile, master(), 0));
  EXPECT_FALSE(trail.resume(hostile, master(), 0));
}

TEST(HostileSid, has_its_trail_inside_the_store_and_its_name_in_every_line) {
  for (const std::string& sid : {std::string("../../escape"), std::string(), std::string("."), std::string(".."),
                                 std::string("a/b\nc"), std::string(3000, '/'), std::string("\0x", 2)}) {
    const TempDir store;
    Trail trail(store / "trails", sid);
    ASSERT_OK(trail.begin(identity(), master(), 0));
    const auto file = std::filesystem::canonical(trail.file());
    EXPECT_EQ(file.parent_path().parent_path(), store / "trails");
    EXPECT_EQ(json_lines(contents(trail.file()))[0]["sid"], sid);
    const auto found = Trail::find_unfinished(store / "trails", sid);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->session, kSession);
  }
}

}  // namespace
}  // namespace sidrec::trail_test
