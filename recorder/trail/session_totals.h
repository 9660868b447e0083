// SessionTotals: what session.end says about a session. Counted by the master line by line as it writes, and by a
// successor (or `sidrec ls`) from the lines it reads: the same sums, whoever makes them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "recorder/event/event.h"
#include "recorder/trail/line_facts.h"

namespace sidrec {

struct SessionTotals {
  uint64_t connections = 0;  // a connection recorded by two recorders at once counts once
  uint64_t bytes_in = 0;     // data and gaps: what passed, recorded or not
  uint64_t bytes_out = 0;
  uint64_t records = 0;  // lines that have a `pos`
  uint64_t gaps = 0;     // of these, gap lines

  bool operator==(const SessionTotals&) const = default;
};

class TotalsCounter {
 public:
  const SessionTotals& totals() const { return totals_; }

  std::set<std::string> recorders_at_work() const;
  bool is_open(std::string_view rec, uint64_t conn) const { return open_.contains({conn, std::string(rec)}); }

  // A line that has been read.
  void line(const LineFacts& facts);

  void opened(std::string_view rec, uint64_t conn);
  void closed(std::string_view rec, uint64_t conn);
  void data(Direction dir, uint64_t len) {
    ++totals_.records;
    (dir == Direction::kIn ? totals_.bytes_in : totals_.bytes_out) += len;
  }
  void other() { ++totals_.records; }
  void gap(Direction dir, uint64_t len) {
    data(dir, len);
    ++totals_.gaps;
  }

 private:
  SessionTotals totals_;
  // Open connections only, so that a session of a million connections does not remember them all.
  std::set<std::pair<uint64_t, std::string>> open_;
};

}  // namespace sidrec
