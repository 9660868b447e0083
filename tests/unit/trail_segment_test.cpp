// A trail in several segments, some of them compressed, is one trail to whoever reads or goes on with it.
#include <algorithm>

#include "recorder/cli/compress.h"
#include "recorder/trail/last_line.h"
#include "recorder/trail/open_connections.h"
#include "recorder/trail/reassembly.h"
#include "recorder/trail/session_summary.h"
#include "recorder/trail/trail_check.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

size_t seals_in(const std::string& text) {
  size_t count = 0;
  for (const auto& line : every_line(text)) count += line["ev"] == "seal";
  return count;
}

struct Segments : ::testing::Test {
  TempDir store;
  TrailSettings settings{.segment_bytes = 4096};
  std::string passed;

  std::unique_ptr<Trail> begin() {
    auto trail = std::make_unique<Trail>(store.path(), kSid, settings);
    EXPECT_TRUE(trail->begin(identity(), master("r1"), 0));
    trail->append("r1", opened({.pos = 1}), false);
    return trail;
  }
  void put(Trail& trail, uint64_t now_ns = 0) {
    const uint64_t at = passed.size();
    const std::string bytes = std::to_string(at) + std::string(400, 'x');
    trail.append("r1", data({.time_ns = kSecond + at, .pos = 2 + at}, Direction::kIn, at, bytes), false);
    passed += bytes;
    ASSERT_OK(trail.commit(now_ns));
  }
  void end(Trail& trail) {
    trail.append("r1", closed({.time_ns = 2 * kSecond, .pos = 2 + passed.size()}, counted(passed.size(), 0)), false);
    ASSERT_OK(trail.end(3 * kSecond, "ended"));
  }
  std::string ended_trail() {
    const auto trail = begin();
    for (int i = 0; i < 50; ++i) put(*trail);
    end(*trail);
    return trail->file();
  }
  std::vector<std::string> files() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(store / kSid)) paths.push_back(entry.path());
    std::erase_if(paths, [](const std::string& path) { return path.ends_with(".live"); });
    return paths;
  }
  std::string segment(int number) const {
    const std::string stem = store / kSid + "/20261123T223000Z-" + kSession;
    return stem + (number == 1 ? "" : "." + std::to_string(number)) + ".jsonl";
  }
  TrailCheck check() const {
    auto reader = TrailReader::open(segment(1));
    EXPECT_TRUE(reader);
    auto checked = check_trail(*reader, nullptr, [](uint64_t) {});
    EXPECT_TRUE(checked) << checked.error().message;
    return *checked;
  }
  void expect_all_is_read() const {
    EXPECT_EQ(fault_of(check(), false), "");
    auto reader = TrailReader::open(segment(2));  // any of them stands for all
    ASSERT_OK(reader);
    std::string bytes;
    const auto outcome = reassemble(*reader, "c7f3a", "", Direction::kIn, [&](std::string_view part) {
      bytes += part;
      return true;
    });
    ASSERT_OK(outcome);
    EXPECT_EQ(outcome->hole, "");
    EXPECT_EQ(bytes, passed);
  }
};

TEST_F(Segments, follow_each_other_at_the_length_that_is_set_and_their_bytes_are_the_trail) {
  ended_trail();
  const size_t count = files().size();
  EXPECT_GE(count, 5u);
  std::string all;
  uint64_t seq = 0;
  for (size_t number = 1; number <= count; ++number) {
    const std::string text = contents(segment(static_cast<int>(number)));
    EXPECT_GE(text.size(), number < count ? 4096u : 1u);
    EXPECT_LE(text.size(), 4096u + 1200);
    EXPECT_EQ(every_line(text).back()["ev"], "seal") << "each ends with one";
    all += text;
  }
  for (const auto& line : every_line(all)) EXPECT_EQ(line["seq"], ++seq);
  EXPECT_EQ(check().bytes, all.size());
  expect_all_is_read();
}

TEST_F(Segments, also_follow_each_other_by_time_and_an_idle_one_is_closed_once) {
  settings = {.segment_ns = 10 * kSecond};
  const auto trail = begin();
  put(*trail, kSecond);
  EXPECT_EQ(trail->deadline_ns(), 10 * kSecond);
  ASSERT_OK(trail->commit(10 * kSecond));
  EXPECT_EQ(trail->file(), segment(2));
  EXPECT_EQ(contents(segment(2)), "");
  EXPECT_FALSE(trail->deadline_ns()) << "an idle recorder would be woken for ever";
  put(*trail, 100 * kSecond);
  end(*trail);
  EXPECT_EQ(files().size(), 2u);
  expect_all_is_read();
}

TEST_F(Segments, are_none_where_none_are_asked_for) {
  settings = {};
  ended_trail();
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(Segments, present_one_is_named_by_the_live_link_and_is_where_the_next_master_goes_on) {
  std::string last;
  {
    const auto first = begin();
    for (int i = 0; i < 20; ++i) put(*first);
    last = first->file();
  }
  const std::string live = store / kSid + "/.live";
  EXPECT_EQ(std::filesystem::read_symlink(live), std::filesystem::path(last).filename());
  std::ofstream(last, std::ios::app) << "{\"ev\":\"da";
  const auto unfinished = Trail::find_unfinished(store.path(), kSid);
  ASSERT_TRUE(unfinished);
  const auto still_open = open_connections(unfinished->file, {}, [](auto, auto) { return true; });
  ASSERT_OK(still_open);
  ASSERT_EQ(still_open->open.size(), 1u);
  EXPECT_EQ(still_open->open.front().flow.offset[0], passed.size());

  ASSERT_OK(cli::compress_file(segment(1)));  // a prune, meanwhile
  Trail second(store.path(), kSid, settings);
  const auto marks = second.resume(identity(), master("r2"), 2 * kSecond);
  ASSERT_OK(marks);
  EXPECT_EQ(marks->at({"r1", 0}), 2 + passed.size() - std::to_string(passed.size()).size() - 400);
  EXPECT_EQ(second.file(), last);
  for (int i = 0; i < 20; ++i) put(second);
  end(second);
  EXPECT_FALSE(std::filesystem::is_symlink(live));
  expect_all_is_read();
}

TEST_F(Segments, whose_master_died_between_two_of_them_goes_on_in_the_empty_one) {
  {
    const auto first = begin();
    for (int i = 0; i < 20; ++i) put(*first);
  }
  const int count = static_cast<int>(files().size());
  write_file(segment(count + 1), "", 0640);  // and the link still names the one before
  Trail second(store.path(), kSid, settings);
  ASSERT_OK(second.resume(identity(), master("r2"), 2 * kSecond));
  EXPECT_EQ(second.file(), segment(count + 1));
  end(second);
  expect_all_is_read();
}

TEST_F(Segments, that_cannot_be_made_lose_nothing) {
  const auto trail = begin();
  write_file(segment(2), "in the way\n");
  for (int i = 0; i < 20; ++i) put(*trail);
  EXPECT_EQ(trail->file(), segment(1));
  EXPECT_LE(seals_in(contents(segment(1))), 3u) << "tried again only when it is as long again";
  std::filesystem::remove(segment(2));
  for (int i = 0; i < 20; ++i) put(*trail);
  EXPECT_NE(trail->file(), segment(1));
  end(*trail);
  expect_all_is_read();
}

TEST_F(Segments, are_read_while_they_come) {
  const auto trail = begin();
  put(*trail);
  auto reader = TrailReader::open(segment(1));
  ASSERT_OK(reader);
  uint64_t seq = 0;
  const auto read_on = [&] {
    while (true) {
      const auto more = reader->next();
      ASSERT_OK(more);
      if (!*more) break;
      EXPECT_EQ((*reader->parsed())["seq"], ++seq);
    }
  };
  for (int i = 0; i < 30; ++i) {
    put(*trail);
    read_on();
  }
  end(*trail);
  read_on();
  EXPECT_EQ(seq, check().lines);
}

TEST_F(Segments, compressed_ones_are_read_as_they_were_and_so_is_a_trail_of_both) {
  ended_trail();
  const int count = static_cast<int>(files().size());
  const TrailCheck before = check();
  for (int number = 1; number <= count; ++number) {
    const auto modified = std::filesystem::last_write_time(segment(number));
    ASSERT_OK(cli::compress_file(segment(number)));
    EXPECT_FALSE(std::filesystem::exists(segment(number)));
    EXPECT_EQ(std::filesystem::last_write_time(segment(number) + ".zst"), modified);
    EXPECT_EQ(check().bytes, before.bytes);
    expect_all_is_read();
  }
  const auto trails = trails_of_sid(store.path(), kSid);
  ASSERT_OK(trails);
  ASSERT_EQ(trails->size(), 1u);
  EXPECT_EQ(trails->front().path(), segment(1) + ".zst");
  const auto summary = summarize(trails->front());
  ASSERT_OK(summary);
  EXPECT_EQ(summary->state, SessionState::kEnded);
  EXPECT_EQ(summary->totals.bytes_in, passed.size());
}

TEST_F(Segments, compressed_while_a_reader_is_at_work_do_not_disturb_it) {
  ended_trail();
  auto reader = TrailReader::open(segment(1));
  ASSERT_OK(reader);
  ASSERT_OK(reader->next());
  for (int number = 1; number <= 4; ++number) ASSERT_OK(cli::compress_file(segment(number)));
  uint64_t lines = 1;
  for (auto more = reader->next(); more && *more; more = reader->next()) ++lines;
  EXPECT_EQ(lines, check().lines);
}

TEST_F(Segments, longer_than_a_frame_are_compressed_whole) {
  settings = {};
  const auto trail = begin();
  for (int i = 0; i < 8000; ++i) put(*trail);
  end(*trail);
  const std::string text = contents(segment(1));
  ASSERT_GT(text.size(), 3u << 20);
  ASSERT_OK(cli::compress_file(segment(1)));
  auto bytes = TrailBytes::open(segment(1));
  ASSERT_OK(bytes);
  std::string got(text.size() + 1, '\0');
  size_t have = 0;
  for (auto read = bytes->read_at(0, got.data(), got.size()); read && *read > 0;
       read = bytes->read_at(have, got.data() + have, got.size() - have)) {
    have += *read;
  }
  got.resize(have);
  EXPECT_EQ(got, text);
}

TEST_F(Segments, that_are_damaged_while_compressed_are_an_error_that_names_the_file) {
  ended_trail();
  ASSERT_OK(cli::compress_file(segment(1)));
  const std::string packed = segment(1) + ".zst";
  const std::string sound = contents(packed);
  size_t edits = 0, found = 0;
  for (size_t at = 0; at < sound.size(); at += 5) {
    std::string edited = sound;
    edited[at] = static_cast<char>(edited[at] ^ 0x10);
    write_file(packed, edited);
    auto reader = TrailReader::open(segment(1));
    const auto checked = reader ? check_trail(*reader, nullptr, [](uint64_t) {}) : Result<TrailCheck>(reader.error());
    ++edits;
    if (!checked || !fault_of(*checked, false).empty()) ++found;
    if (checked) continue;
    EXPECT_EQ(checked.error().code, EBADMSG);
    EXPECT_NE(checked.error().message.find(packed), std::string::npos) << checked.error().message;
  }
  // The few others change nothing of what is unpacked: the seals say so.
  EXPECT_GT(found, edits * 9 / 10);
}

TEST_F(Segments, of_which_one_is_missing_or_another_stands_in_its_place_are_wrong) {
  ended_trail();
  const int count = static_cast<int>(files().size());
  const std::string first = contents(segment(1)), second = contents(segment(2)), third = contents(segment(3));
  std::filesystem::remove(segment(count));
  EXPECT_NE(fault_of(check(), false).find("no session.end follows"), std::string::npos);
  write_file(segment(2), third);
  write_file(segment(3), second);
  EXPECT_TRUE(fault_of(check(), false).starts_with(segment(2) + ":1: seq is ")) << fault_of(check(), false);
  write_file(segment(2), second.substr(0, second.rfind("{\"ev\":\"seal\"")));
  write_file(segment(3), third);
  EXPECT_TRUE(fault_of(check(), false).starts_with(segment(3) + ":1: seq is ")) << fault_of(check(), false);
}

TEST(SegmentName, is_read_as_it_is_written_and_no_otherwise) {
  const std::string stem = "20261123T223000Z-" + kSession;
  for (const SegmentName& name :
       {SegmentName{stem, 1, false}, SegmentName{stem, 2, true}, SegmentName{stem, 4711, false}}) {
    const auto parsed = parse_segment_name(name.text());
    ASSERT_TRUE(parsed) << name.text();
    EXPECT_EQ(parsed->number, name.number);
    EXPECT_EQ(parsed->compressed, name.compressed);
    EXPECT_EQ(parsed->session(), kSession);
  }
  for (const char* rest : {".0.jsonl", ".1.jsonl", ".02.jsonl", ".2.jsonl.zst.new", "..jsonl", ".jsonl.gz", ".2x.jsonl",
                           ".99999999999.jsonl", ".zst"}) {
    EXPECT_FALSE(parse_segment_name(stem + rest)) << rest;
  }
}

}  // namespace
}  // namespace sidrec::trail_test
