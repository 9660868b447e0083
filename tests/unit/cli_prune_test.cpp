// sidrec prune: what it removes, what it leaves, and what it writes down about it.
#include <sys/file.h>

#include "recorder/cli/quantity.h"
#include "recorder/cli/stored_trail.h"
#include "tests/unit/command_line_vocabulary.h"

namespace sidrec::trail_test {
namespace {

using cli::StoredTrail;

StoredTrail stored(uint64_t ended_s, uint64_t bytes) {
  StoredTrail trail;
  trail.ended_ns = ended_s * kSecond;
  trail.bytes = bytes;
  return trail;
}

std::vector<size_t> chosen(const std::vector<StoredTrail>& trails, const cli::RetentionLimits& limits) {
  std::vector<size_t> indexes;
  for (const auto& removal : cli::choose_removals(trails, limits, 1000 * kSecond)) indexes.push_back(removal.index);
  return indexes;
}

TEST(Retention, removes_what_ended_longer_ago_than_the_limit_and_not_what_is_as_old_as_it) {
  const std::vector<StoredTrail> trails = {stored(899, 1), stored(900, 1), stored(999, 1)};
  EXPECT_EQ(chosen(trails, {.older_than_s = 100, .max_bytes = {}}), (std::vector<size_t>{0}));
}

TEST(Retention, removes_the_oldest_by_their_end_until_the_rest_fits) {
  const std::vector<StoredTrail> trails = {stored(300, 10), stored(100, 10), stored(200, 10)};
  EXPECT_EQ(chosen(trails, {.older_than_s = {}, .max_bytes = 30}), (std::vector<size_t>{}));
  EXPECT_EQ(chosen(trails, {.older_than_s = {}, .max_bytes = 29}), (std::vector<size_t>{1}));
  EXPECT_EQ(chosen(trails, {.older_than_s = {}, .max_bytes = 10}), (std::vector<size_t>{1, 2}));
}

TEST(Retention, never_removes_what_has_not_ended_but_counts_it) {
  const std::vector<StoredTrail> trails = {stored(0, 100), stored(500, 10)};
  EXPECT_EQ(chosen(trails, {.older_than_s = 1, .max_bytes = 1}), (std::vector<size_t>{1}));
}

TEST(Quantity, is_a_number_and_a_unit) {
  EXPECT_EQ(cli::seconds_in("30d"), 30u * 86'400);
  EXPECT_EQ(cli::seconds_in("0s"), 0u);
  EXPECT_EQ(cli::bytes_in("10G"), 10ull << 30);
  EXPECT_EQ(cli::bytes_in("4096"), 4096u);
  for (const char* text :
       {"", "d", "30", "30x", "-1d", "1.5d", "30 d", "99999999999999999999s", "9999999999999999999w"}) {
    EXPECT_FALSE(cli::seconds_in(text)) << text;
  }
  EXPECT_FALSE(cli::bytes_in("18446744073709551615T"));
}

struct Prune : CommandLine {
  std::string record() const { return store / ".pruned.jsonl"; }
  void SetUp() override {
    CommandLine::SetUp();
    ping_and_pong();
  }
};

TEST_F(Prune, removes_an_ended_trail_and_writes_down_which) {
  end();
  const auto seal = every_line(contents(trail.file())).back();
  const size_t bytes = contents(trail.file()).size();
  const Said said = sidrec({"prune", "--older-than", "0s"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_TRUE(said.out.starts_with("removed  " + trail.file() + ": ended 2026-11-23T22:30:01Z, ")) << said.out;
  EXPECT_FALSE(std::filesystem::exists(trail.file()));
  const auto lines = every_line(contents(record()));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["ev"], "pruned");
  EXPECT_EQ(lines[0]["sid"], kSid);
  EXPECT_EQ(lines[0]["session"], kSession);
  EXPECT_EQ(lines[0]["file"], trail.file());
  EXPECT_EQ(lines[0]["segments"], 1);
  EXPECT_EQ(lines[0]["bytes"], bytes);
  EXPECT_EQ(lines[0]["ended"], "2026-11-23T22:30:01.500000Z");
  EXPECT_EQ(lines[0]["hash"], seal["hash"]);
  EXPECT_EQ(lines[0]["why"], "age");
  EXPECT_EQ(lines[0]["limit"], "0s");
  EXPECT_EQ(sidrec({"prune", "--older-than", "0s"}).out, "");
}

TEST_F(Prune, by_size_says_so) {
  end();
  EXPECT_EQ(sidrec({"prune", "--max-size", "10G"}).out, "");
  EXPECT_EQ(sidrec({"prune", "--max-size", "1"}).code, 0);
  EXPECT_EQ(every_line(contents(record())).at(0)["why"], "size");
}

TEST_F(Prune, leaves_what_has_not_ended_alone) {
  const std::string before = contents(trail.file());
  const Said said = sidrec({"prune", "--older-than", "0s", "--max-size", "0", "--compress"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.out, "");
  EXPECT_EQ(contents(trail.file()), before);
}

TEST_F(Prune, with_dry_run_says_the_same_and_does_nothing) {
  end();
  const std::string before = contents(trail.file());
  const Said said = sidrec({"prune", "--older-than", "0s", "--dry-run"});
  EXPECT_TRUE(said.out.starts_with("would remove  " + trail.file())) << said.out;
  EXPECT_TRUE(sidrec({"prune", "--compress", "--dry-run"}).out.starts_with("would compress  " + trail.file()));
  EXPECT_EQ(contents(trail.file()), before);
  EXPECT_FALSE(std::filesystem::exists(record()));
}

TEST_F(Prune, compresses_what_every_verb_then_reads_on) {
  end();
  const std::string tail = sidrec({"tail", "--json"}).out;
  const std::string verified = sidrec({"verify"}).out;
  write_file(files / "config.json", R"({"compress": true})");
  const Said said = sidrec({"prune", "--config", files / "config.json"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_TRUE(said.out.starts_with("compressed  " + trail.file() + ": ")) << said.out;
  EXPECT_FALSE(std::filesystem::exists(trail.file()));
  EXPECT_EQ(sidrec({"tail", "--json"}).out, tail);
  EXPECT_EQ(sidrec({"cat", "--conn", "c7f3a", "--dir", "in"}).out, "PING\r\n");
  EXPECT_EQ(sidrec({"verify", trail.file() + ".zst"}).code, 0);
  EXPECT_NE(verified.find("7 lines"), std::string::npos);
  EXPECT_NE(sidrec({"ls"}).out.find("ended"), std::string::npos);
  EXPECT_EQ(sidrec({"prune", "--compress"}).out, "") << "once";
  EXPECT_EQ(sidrec({"prune", "--older-than", "0s"}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(trail.file() + ".zst"));
}

TEST_F(Prune, two_at_once_are_one_too_many) {
  end();
  const UniqueFd other(open(record().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  ASSERT_EQ(flock(other.get(), LOCK_EX), 0);
  const Said said = sidrec({"prune", "--older-than", "0s"});
  EXPECT_EQ(said.code, 1);
  EXPECT_NE(said.err.find("another sidrec prune"), std::string::npos) << said.err;
  EXPECT_TRUE(std::filesystem::exists(trail.file()));
}

TEST_F(Prune, without_a_word_of_what_to_do_or_with_nonsense_does_nothing) {
  end();
  for (const Said& said :
       {sidrec({"prune"}), sidrec({"prune", "--older-than", "30"}), sidrec({"prune", "--max-size", "x"})}) {
    EXPECT_EQ(said.code, 2) << said.out;
  }
  EXPECT_TRUE(std::filesystem::exists(trail.file()));
}

}  // namespace
}  // namespace sidrec::trail_test
