// A trail as any file that somebody has put there: read by a new master, by the recorder that goes on with a ring, and
// by the command line.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "recorder/base/unique_fd.h"
#include "recorder/trail/last_line.h"
#include "recorder/trail/line_facts.h"
#include "recorder/trail/open_connections.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/reassembly.h"
#include "recorder/trail/trail_bytes.h"
#include "recorder/trail/trail_check.h"
#include "recorder/trail/trail_scan.h"
#include "tests/fuzz/json.h"
#include "tests/fuzz/target.h"

using namespace sidrec;
using fuzz::expect;

namespace {

bool same(const LineFacts& a, const LineFacts& b) {
  return a.kind == b.kind && a.ts == b.ts && a.seq == b.seq && a.epoch == b.epoch && a.rec == b.rec &&
         a.lane == b.lane && a.pos == b.pos && a.conn == b.conn && a.chan == b.chan && a.dir == b.dir &&
         a.off == b.off && a.len == b.len;
}

// The keys of every line in their order, before all others (docs/trail-format.md).
bool has_our_order(const std::string& line) {
  constexpr std::array<std::string_view, 10> kCommon = {"ev",    "ts",  "sid", "session", "seq",
                                                        "epoch", "rec", "pos", "conn",    "chan"};
  size_t next = 0;
  bool others = false;
  const auto object = nlohmann::ordered_json::parse(line);
  for (const auto& [key, value] : object.items()) {
    const auto at = std::find(kCommon.begin(), kCommon.end(), key);
    const auto index = static_cast<size_t>(at - kCommon.begin());
    if (at == kCommon.end()) {
      others = true;
    } else if (others || index < next) {
      return false;
    } else {
      next = index;
    }
    if (value.is_structured()) return false;
  }
  return true;
}

// A line in our order is taken apart by place, any other by a parser: both must say the same. With its keys sorted, as
// the parser gives them back, a line is in another order.
void check_both_ways(const std::string& line) {
  LineFactsReader by_place, by_parser;
  LineFacts ours, parsers;
  const bool is_line = by_place.read(line, ours);
  const auto [json, twice] = fuzz::json_of(line);
  if (!json.is_object() || twice || !has_our_order(line)) return;
  const std::string sorted = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
  const bool is_sorted_line = by_parser.read(sorted, parsers);
  if (!is_line || !is_sorted_line) return;
  expect(same(ours, parsers), "both ways to read a line say the same");
}

}  // namespace

FUZZ_TARGET(trail_read, input) {
  const std::string text(input.rest());
  const UniqueFd fd(::memfd_create("trail", MFD_CLOEXEC));
  expect(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()), "there is room for a trail");
  const std::string path = "/proc/self/fd/" + std::to_string(fd.get());

  auto bytes = TrailBytes::open(path);
  expect(static_cast<bool>(bytes), "a file can be opened");

  const auto scan = scan_trail(*bytes);
  if (scan) {
    expect(scan->whole_bytes + scan->torn_bytes == text.size(), "every byte is in a whole line or behind the last");
    expect(scan->torn_bytes == text.size() - (text.rfind('\n') + 1), "and torn is what has no end");
  }
  (void)open_connections(path, "", [](uint32_t, uint64_t) { return true; });
  if (const auto end = trail_end_of(*bytes)) {
    expect(text.find(end->session_end + "\n") != std::string::npos, "the end is one of the trail's lines");
    expect(is_session_end(end->session_end), "and is one");
  }

  std::vector<std::string> lines;
  LineSource source(*bytes);
  std::string_view line;
  for (auto more = source.next(line); more && *more; more = source.next(line)) {
    expect(line.find('\n') == std::string_view::npos, "a line is one line");
    lines.emplace_back(line);
    if (lines.size() <= 64) check_both_ways(lines.back());
  }

  {
    auto reader = TrailReader::open(path);
    expect(static_cast<bool>(reader), "a file can be opened");
    const auto check = check_trail(*reader, nullptr, [](uint64_t) {});
    if (check && check->wrong_line.empty()) {
      expect(check->lines == lines.size(), "a trail that is right has all its lines");
      expect(check->bytes + check->torn_bytes == text.size(), "and all its bytes");
      expect(static_cast<bool>(scan) && scan->ended == check->ended, "and a new master sees the same end");
    }
  }

  for (const Direction dir : {Direction::kIn, Direction::kOut}) {
    auto reader = TrailReader::open(path);
    expect(static_cast<bool>(reader), "a file can be opened");
    uint64_t total = 0;
    const auto found = reassemble(*reader, "c1", "", dir, [&](std::string_view part) {
      total += part.size();
      return true;
    });
    if (found) expect(found->bytes == total && total <= text.size(), "no byte comes out that is not there");
  }
}
