// TrailScan: everything a new master must know of a trail that another one began, from one pass over the whole of it.
//
// The whole and not its tail: the sums of session.end need every line, and "nothing twice" needs the last
// position of every recorder, also of one whose ring was orphaned long ago and is adopted only now. The cost is one
// read of the page cache at memchr speed plus the taking apart of each line's first keys: measured on one busy core,
// 0.2 s for each GiB of 16 KiB records, 0.4 s of 1 KiB, 1.4 s of 64 B. Paid once for each takeover.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "recorder/base/result.h"
#include "recorder/store/storage_engine.h"
#include "recorder/trail/session_totals.h"
#include "recorder/trail/trail_bytes.h"

namespace sidrec {

struct TrailScan {
  bool started = false;  // holds session.start
  bool ended = false;    // holds session.end
  uint64_t last_seq = 0;
  uint32_t last_epoch = 0;
  uint64_t start_wall_ns = 0;   // of the first line
  uint64_t latest_wall_ns = 0;  // the highest ts
  std::string master;           // the last one named
  TotalsCounter totals;
  Watermarks watermarks;
  // Facts that no record caused have no watermark: (pos, rec) of each one in the trail.
  std::set<std::pair<uint64_t, std::string>> laneless;
  uint64_t whole_bytes = 0;    // up to the end of the last whole line
  uint64_t torn_bytes = 0;     // behind it
  uint64_t sealed_bytes = 0;   // up to the hash of the last seal: what no seal covers yet begins there
  uint64_t foreign_lines = 0;  // whole lines that are no trail lines: left alone, not counted in anything
};

Result<TrailScan> scan_trail(TrailBytes& bytes);

}  // namespace sidrec
