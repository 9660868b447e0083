// Seals: what the writer writes, whoever writes on, and that nothing of a sealed trail can be changed unseen.
#include <random>

#include "recorder/trail/trail_check.h"
#include "tests/unit/seal_keys.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

struct Sealed : ::testing::Test {
  TempDir store;
  TrailSettings settings;
  uint64_t passed = 0;  // of the connection's bytes

  std::unique_ptr<Trail> begin() {
    auto trail = std::make_unique<Trail>(store.path(), kSid, settings);
    EXPECT_TRUE(trail->begin(identity(), master("r1"), 0));
    trail->append("r1", opened({.pos = 1}), false);
    return trail;
  }
  std::unique_ptr<Trail> take_over(const std::string& rec, uint64_t now_ns) {
    auto trail = std::make_unique<Trail>(store.path(), kSid, settings);
    EXPECT_TRUE(trail->resume(identity(), master(rec), now_ns));
    return trail;
  }
  void put(Trail& trail, std::string_view bytes) {
    trail.append("r1", data({.time_ns = kSecond + passed, .pos = 2 + passed}, Direction::kIn, passed, bytes), false);
    passed += bytes.size();
  }
  void end(Trail& trail) {
    trail.append("r1", closed({.time_ns = 2 * kSecond, .pos = 2 + passed}, counted(passed, 0)), false);
    ASSERT_OK(trail.end(3 * kSecond, "ended"));
  }

  TrailCheck check(const std::string& path, const SealPublicKey* key = nullptr) const {
    auto reader = TrailReader::open(path);
    EXPECT_TRUE(reader);
    auto checked = check_trail(*reader, key, [](uint64_t) {});
    EXPECT_TRUE(checked);
    return *checked;
  }
  std::string fault(const std::string& path, const SealPublicKey* key = nullptr) const {
    return fault_of(check(path, key), false);
  }
  std::string fault_of_text(const std::string& text, const SealPublicKey* key = nullptr) const {
    const std::string path = store / "edited.jsonl";
    write_file(path, text);
    return fault(path, key);
  }
};

std::vector<nlohmann::json> seals_in(const std::string& text) {
  std::vector<nlohmann::json> seals;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(R"({"ev":"seal")")) seals.push_back(nlohmann::json::parse(line));
  }
  return seals;
}

TEST_F(Sealed, trail_has_its_last_seal_behind_session_end_and_no_other_while_it_is_short) {
  const auto trail = begin();
  put(*trail, "hello");
  end(*trail);
  const std::string text = contents(trail->file());
  ASSERT_EQ(seals_in(text).size(), 1u);
  EXPECT_EQ(text.find(R"({"ev":"seal")"), text.find('\n', text.find(R"({"ev":"session.end")")) + 1);
  EXPECT_EQ(fault(trail->file()), "");
  const TrailCheck checked = check(trail->file());
  EXPECT_EQ(checked.lines, 6u);
  EXPECT_EQ(checked.bytes, text.size());
  EXPECT_EQ(checked.unsealed_line, "");
}

TEST_F(Sealed, hash_is_of_all_bytes_from_the_last_hash_to_its_own) {
  settings.seal_bytes = 1;
  const auto trail = begin();
  ASSERT_OK(trail->commit(0));
  const std::string text = contents(trail->file());
  const auto seals = seals_in(text);
  ASSERT_EQ(seals.size(), 2u) << "one for each commit";
  const size_t first = text.find(R"("hash":")") + 8;
  const size_t second = text.rfind(R"("hash":")") + 8;
  EXPECT_EQ(seals[0]["hash"], sha256_hex(text.substr(0, first), 64));
  EXPECT_EQ(seals[1]["hash"], sha256_hex(text.substr(first, second - first), 64));
}

TEST_F(Sealed, comes_when_so_many_bytes_are_under_none) {
  settings.seal_bytes = 10'000;
  const auto trail = begin();
  for (int i = 0; i < 100; ++i) {
    put(*trail, std::string(500, 'x'));
    ASSERT_OK(trail->commit(0));
  }
  end(*trail);
  const size_t seals = seals_in(contents(trail->file())).size();
  EXPECT_GE(seals, 6u);
  EXPECT_LE(seals, 9u);
  EXPECT_EQ(fault(trail->file()), "");
}

TEST_F(Sealed, comes_some_time_after_the_first_byte_under_none_and_then_never_again_without_new_ones) {
  settings.seal_ns = 10 * kSecond;
  const auto trail = begin();
  ASSERT_OK(trail->commit(kSecond));
  ASSERT_EQ(trail->deadline_ns(), 10 * kSecond) << "session.start was committed at 0";
  put(*trail, "more");
  ASSERT_OK(trail->commit(5 * kSecond));
  EXPECT_EQ(trail->deadline_ns(), 10 * kSecond);
  EXPECT_EQ(seals_in(contents(trail->file())).size(), 0u);
  ASSERT_OK(trail->commit(10 * kSecond));
  EXPECT_EQ(seals_in(contents(trail->file())).size(), 1u);
  EXPECT_FALSE(trail->deadline_ns()) << "an idle recorder would be woken for ever";
  ASSERT_OK(trail->commit(100 * kSecond));
  EXPECT_EQ(seals_in(contents(trail->file())).size(), 1u);
}

TEST_F(Sealed, makes_no_later_line_late) {
  settings.seal_bytes = 1;
  const auto trail = begin();
  ASSERT_OK(trail->commit(9 * kSecond));  // what comes now is of before
  put(*trail, "x");
  end(*trail);
  EXPECT_EQ(contents(trail->file()).find("late"), std::string::npos);
}

TEST_F(Sealed, chain_goes_on_across_masters_however_they_died) {
  for (const bool sealed_before : {false, true}) {
    for (const std::string torn : {"", "{\"ev\":\"da", "{\"ev\":\"seal\",\"ts"}) {
      std::filesystem::remove_all(store / kSid);
      passed = 0;
      settings.seal_bytes = sealed_before ? 1 : 1'000'000;
      std::string file;
      {
        const auto first = begin();
        put(*first, "first");
        ASSERT_OK(first->commit(0));
        file = first->file();
      }
      std::ofstream(file, std::ios::app) << torn;
      settings.seal_bytes = 1'000'000;
      {
        const auto second = take_over("r2", 2 * kSecond);
        put(*second, "second");
        ASSERT_OK(second->commit(0));
      }
      const auto third = take_over("r3", 2 * kSecond);
      end(*third);
      EXPECT_EQ(fault(file), "");
      EXPECT_EQ(check(file).seals, sealed_before ? 3u : 1u);
    }
  }
}

TEST_F(Sealed, is_also_what_a_master_makes_of_a_trail_that_none_had_sealed) {
  const auto old = begin();
  put(*old, "old");
  ASSERT_OK(old->commit(0));
  const auto trail = take_over("r2", 2 * kSecond);
  end(*trail);
  EXPECT_EQ(check(trail->file()).seals, 1u);
  EXPECT_EQ(fault(trail->file()), "");
}

TEST_F(Sealed, only_to_its_last_seal_a_live_trail_is_proven) {
  settings.seal_bytes = 1;
  const auto trail = begin();
  put(*trail, "sealed");
  ASSERT_OK(trail->commit(0));
  settings.seal_bytes = 1'000'000;
  const uint64_t sealed = contents(trail->file()).size();
  const auto next = take_over("r2", kSecond);
  const TrailCheck checked = check(next->file());
  EXPECT_EQ(checked.unsealed_bytes, contents(next->file()).size() - sealed);
  EXPECT_EQ(fault_of(checked, true), "");
  EXPECT_EQ(fault_of(checked, false), next->file() + ":6: no session.end follows, and nobody writes this trail");
}

TEST_F(Sealed, not_at_all_an_ended_trail_is_wrong_and_so_is_one_whose_last_seal_was_torn) {
  const auto trail = begin();
  end(*trail);
  const std::string text = contents(trail->file());
  const size_t seal = text.find(R"({"ev":"seal")");
  const std::string edited = store / "edited.jsonl";
  EXPECT_EQ(fault_of_text(text.substr(0, seal)), edited + ":1: not sealed");
  EXPECT_EQ(fault_of_text(text.substr(0, seal + 20)), edited + ":4: 20 bytes follow that are no line");
  settings.seal_bytes = 1;
  std::filesystem::remove_all(store / kSid);
  const auto sealed_early = begin();
  ASSERT_OK(sealed_early->commit(0));
  end(*sealed_early);
  const std::string long_text = contents(sealed_early->file());
  EXPECT_EQ(fault_of_text(long_text.substr(0, long_text.rfind(R"({"ev":"seal")"))),
            edited + ":5: from here on it is not sealed");
}

TEST_F(Sealed, session_that_ended_a_moment_before_its_seal_is_not_gone_on_with) {
  const auto trail = begin();
  end(*trail);
  const std::string text = contents(trail->file());
  write_file(trail->file(), text.substr(0, text.find(R"({"ev":"seal")") + 20));
  std::filesystem::create_symlink(std::filesystem::path(trail->file()).filename(), store / (kSid + "/.live"));
  EXPECT_FALSE(Trail::find_unfinished(store.path(), kSid));
}

// A trail with several seals and everything that is counted.
std::string long_trail(Sealed& test) {
  test.settings.seal_bytes = 1500;
  const auto trail = test.begin();
  for (int i = 0; i < 20; ++i) {
    test.put(*trail, "line " + std::to_string(i));
    EXPECT_TRUE(trail->commit(0));
  }
  test.end(*trail);
  EXPECT_GE(test.check(trail->file()).seals, 3u);
  return contents(trail->file());
}

TEST_F(Sealed, every_byte_that_is_changed_is_found_of_a_signed_trail_too) {
  const SealKeys keys(store);
  settings.seal_key = &keys.secret();
  const std::string sound = long_trail(*this);
  ASSERT_EQ(fault_of_text(sound, &keys.open()), "");
  for (size_t at = 0; at < sound.size(); ++at) {
    std::string edited = sound;
    edited[at] = static_cast<char>(edited[at] ^ 1);
    ASSERT_NE(fault_of_text(edited, &keys.open()), "") << "byte " << at;
  }
}

// One way to spoil a trail.
class Edit {
 public:
  Edit(std::mt19937& random, std::string text) : random_(random), text_(std::move(text)) {
    for (size_t from = 0; from < text_.size(); from = text_.find('\n', from) + 1) begins_.push_back(from);
  }
  std::string done() {
    switch (below(10)) {
      case 0: text_[byte()] = static_cast<char>(below(256)); break;
      case 1: text_.erase(byte(), 1 + below(3)); break;
      case 2: text_.insert(byte(), 1 + below(3), static_cast<char>(below(256))); break;
      case 3: std::swap(text_[byte()], text_[byte()]); break;
      case 4: text_.resize(byte()); break;
      case 5: text_.append(1 + below(100), static_cast<char>(below(256))); break;
      case 6: text_.erase(begins_[a_line()], line(a_line()).size()); break;
      case 7: text_.insert(begins_[a_line()], line(a_line())); break;
      case 8: swap_lines(); break;
      case 9: text_.resize(begins_[a_line()]); break;
    }
    return text_;
  }

 private:
  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  size_t byte() { return below(text_.size()); }
  size_t a_line() { return below(begins_.size()); }
  std::string line(size_t index) const {
    return text_.substr(begins_[index], text_.find('\n', begins_[index]) + 1 - begins_[index]);
  }
  void swap_lines() {
    const size_t one = a_line(), other = a_line();
    const std::string first = line(std::min(one, other)), second = line(std::max(one, other));
    text_.replace(begins_[std::max(one, other)], second.size(), first);
    text_.replace(begins_[std::min(one, other)], first.size(), second);
  }

  std::mt19937& random_;
  std::string text_;
  std::vector<size_t> begins_;
};

TEST_F(Sealed, no_edit_of_any_byte_or_line_goes_unseen) {
  const std::string sound = long_trail(*this);
  ASSERT_EQ(fault_of_text(sound), "");
  const auto seed = std::random_device()();
  std::mt19937 random(seed);
  size_t edits = 0;
  while (edits < 10'000) {
    const std::string edited = Edit(random, sound).done();
    if (edited == sound) continue;
    ++edits;
    ASSERT_NE(fault_of_text(edited), "") << "seed " << seed << ", edit " << edits << "\n" << edited;
  }
}

TEST_F(Sealed, hashes_made_anew_do_not_help_who_has_not_the_key) {
  const SealKeys keys(store);
  settings.seal_key = &keys.secret();
  const std::string sound = long_trail(*this);
  ASSERT_EQ(fault_of_text(sound, &keys.open()), "");
  // The forger has another key, and then none.
  const SealKeys others(store);
  for (const SealKey* key : {&others.secret(), static_cast<const SealKey*>(nullptr)}) {
    std::filesystem::remove_all(store / kSid);
    passed = 0;
    settings.seal_key = key;
    const std::string forged = long_trail(*this);
    EXPECT_EQ(fault_of_text(forged), "") << "without the key it cannot be told";
    EXPECT_NE(fault_of_text(forged, &keys.open()), "");
  }
}

TEST_F(Sealed, first_wrong_line_is_named_with_what_is_wrong) {
  const std::string sound = long_trail(*this);
  const std::string edited = store / "edited.jsonl";
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = sound;
    text.replace(text.find(from), from.size(), to);
    return fault_of_text(text);
  };
  EXPECT_EQ(with(R"("seq":3,)", R"("seq":4,)"), edited + ":3: seq is 4, not 3");
  EXPECT_EQ(with(R"("off":6,"len":6)", R"("off":7,"len":6)"), edited + ":4: the trail lacks 1 byte at offset 6");
  EXPECT_EQ(with(R"("off":6,"len":6)", R"("off":5,"len":6)"), edited + ":4: the trail holds 6 bytes at offset 5 twice");
  EXPECT_EQ(with(R"("ev":"data")", R"("ev":"date)"), edited + ":3: not a line of a trail");
  EXPECT_EQ(with(R"("v":1)", R"("v":2)"), edited + ":1: format version 2 is not known here");
  EXPECT_EQ(with("line 0", "line O"),
            edited + ":8: this seal does not fit: a byte has been changed since the first line");
  EXPECT_EQ(with(R"("bytes_in":130,"bytes_out":0,"k)", R"("bytes_in":131,"bytes_out":0,"k)"),
            edited + ":26: bytes_in is 131, the lines above hold 130");
}

}  // namespace
}  // namespace sidrec::trail_test
