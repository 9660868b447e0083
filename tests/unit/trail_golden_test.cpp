// The worked example of docs/trail-format.md: the promise of the format, byte for byte.
#include "recorder/trail/reader.h"
#include "recorder/trail/reassembly.h"
#include "recorder/trail/trail_check.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

const std::string kGolden = SIDREC_GOLDEN_DIR "/worked-example-3.jsonl";
// What earlier writers wrote.
const std::string kBefore = SIDREC_GOLDEN_DIR "/worked-example.jsonl";
const std::string kBeforeSeals = SIDREC_GOLDEN_DIR "/worked-example-2.jsonl";

ConnOpen haproxy_from_203_0_113_7() {
  ConnOpen open = socat_from_203_0_113_7();
  open.client_port = 50124;
  open.server_port = 8443;
  open.pid = 4200;
  std::memset(open.program, 0, sizeof open.program);
  std::strcpy(open.program, "haproxy");
  std::strcpy(open.sid_source, "default");
  return open;
}

// One session: a socat (its recorder is the first master) and a haproxy, whose recorder takes over.
std::string written_example(const TempDir& store) {
  constexpr uint64_t kSocat = 0x7f3a, kHaproxy = 0x81d0;
  const auto ms = [](double value) { return static_cast<uint64_t>(value * 1000) * kMicrosecond; };
  {
    Trail trail(store.path(), kSid, {.seal_bytes = 2000});
    EXPECT_TRUE(trail.begin(identity(), master("r4100"), ms(0.098)));
    trail.append("r4100", opened({ms(0.098), 0, 64, kSocat}), false);
    trail.append("r4100", data({ms(0.871), 0, 192, kSocat}, Direction::kIn, 0, "*1\r\n$4\r\nPING\r\n"), false);
    trail.append("r4200", opened({ms(2.4), 1, 72, kHaproxy}, haproxy_from_203_0_113_7()), false);
    trail.append("r4100", data({ms(1.312), 0, 232, kSocat}, Direction::kOut, 0, "+PONG\r\n"), true);
    trail.append("r4200",
                 data({ms(2.9), 1, 112, kHaproxy}, Direction::kIn, 0, std::string_view("\x16\x03\x01\x00\xff", 5)),
                 false);
    trail.append("r4200", gap({ms(3.25), 1, 160, kHaproxy}, Direction::kOut, 0, 65536, GapWhy::kSplice, 4), false);
    trail.append("r4100", closed({ms(5), 0, 288, kSocat}, counted(14, 7)), false);
    EXPECT_TRUE(trail.commit(0));
    std::ofstream(trail.file(), std::ios::app) << R"({"ev":"data","ts":"2026)";  // the master dies while it writes
  }
  Trail trail(store.path(), kSid);
  EXPECT_TRUE(trail.resume(identity(), master("r4200"), ms(1005)));
  ConnClose close{};
  close.bytes_in = close.kernel_bytes_in = 5;
  close.kernel_in_known = 1;
  close.bytes_out = close.missing_out = 65536;
  trail.append("r4200", closed({ms(1500), kNoLane, kHaproxy, kHaproxy}, close, CloseWhy::kHostDied), false);
  EXPECT_TRUE(trail.end(ms(2500.5), "ended"));
  return contents(trail.file());
}

TEST(WorkedExample, is_what_the_writer_writes_byte_for_byte) {
  const TempDir store;
  const std::string written = written_example(store);
  EXPECT_EQ(written, contents(kGolden))
      << "If the format was changed on purpose: version, document, a new golden file.";
}

TEST(WorkedExample, stands_in_the_format_document_as_it_is) {
  const std::string document = contents(SIDREC_GOLDEN_DIR "/../../docs/trail-format.md");
  EXPECT_NE(document.find("```\n" + contents(kGolden) + "```\n"), std::string::npos);
}

class AnyExample : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(, AnyExample, testing::Values(kBefore, kBeforeSeals, kGolden));

TEST_P(AnyExample, obeys_the_readers_rules) {
  uint64_t seq = 0;
  std::string latest;
  for (const auto& line : every_line(contents(GetParam()))) {
    EXPECT_EQ(line["seq"], ++seq);
    const std::string ts = line["ts"];
    if (!line.value("late", false)) {
      EXPECT_GE(ts, latest);
      latest = ts;
    }
  }
  EXPECT_EQ(seq, GetParam() == kGolden ? 13u : 11u);
}

TEST_P(AnyExample, holds_what_it_counts_and_is_sealed_since_there_are_seals) {
  auto reader = TrailReader::open(GetParam());
  ASSERT_OK(reader);
  const auto check = check_trail(*reader, nullptr, [](uint64_t) {});
  ASSERT_OK(check);
  EXPECT_EQ(check->wrong_line, "");
  EXPECT_EQ(fault_of(*check, false), GetParam() == kGolden ? "" : GetParam() + ":1: not sealed");
}

TEST_P(AnyExample, gives_the_bytes_of_its_connections) {
  auto reader = TrailReader::open(GetParam());
  ASSERT_OK(reader);
  std::string bytes;
  const auto outcome = reassemble(*reader, "c7f3a", "", Direction::kOut, [&](std::string_view part) {
    bytes += part;
    return true;
  });
  ASSERT_OK(outcome);
  EXPECT_EQ(bytes, "+PONG\r\n");
  EXPECT_EQ(outcome->hole, "");
}

}  // namespace
}  // namespace sidrec::trail_test
