// LineWriter: the one writer of trail lines (docs/trail-format.md). For Trail only; one for each session and epoch.
//
// Invariants
//  1. Each call appends exactly one line: a flat JSON object with its keys in the fixed order, and '\n'.
//  2. In steady state (same recorder as the line before, `out` grown already) a line allocates nothing.
//  3. Strings that came from outside (SID, recorder id, program) are escaped; numbers and words are ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "recorder/event/event.h"
#include "recorder/store/storage_engine.h"
#include "recorder/trail/session_totals.h"
#include "recorder/trail/timestamp.h"

namespace sidrec {

inline constexpr int kTrailVersion = 1;

class LineWriter {
 public:
  // identity.epoch is the epoch of the lines, identity.clock_offset_ns turns their times into `ts`.
  LineWriter(std::string_view sid, const SessionIdentity& identity);

  void event(std::string& out, uint64_t seq, std::string_view rec, const EventView& event, bool late);
  void session_start(std::string& out, uint64_t seq, uint64_t time_ns, const MasterIdentity& master);
  void master_change(std::string& out, uint64_t seq, uint64_t time_ns, std::string_view from, std::string_view to,
                     std::string_view why, uint64_t repaired_bytes);
  void session_end(std::string& out, uint64_t seq, uint64_t time_ns, const SessionTotals& totals, uint64_t duration_ms,
                   std::string_view why);
  // `wall_ns`: that of the line before; `at_ns`: when it was noticed.
  void store_full(std::string& out, uint64_t seq, uint64_t wall_ns, uint64_t at_ns, std::string_view why);
  void store_room(std::string& out, uint64_t seq, uint64_t wall_ns, uint64_t at_ns);
  // A seal up to where its hash begins; append_seal_rest() (seal.h) does the rest.
  void begin_seal(std::string& out, uint64_t seq, uint64_t wall_ns);

  // Nanoseconds since 1970 of a record's time; never before 1970, whatever a peer claims.
  uint64_t wall_ns(uint64_t time_ns) const;

 private:
  class Fields;

  Fields& begin_line(Fields& line, std::string_view opening, uint64_t wall_ns, uint64_t seq);
  static void end_line(Fields& line, bool late = false);
  Fields& store_line(Fields& line, std::string_view opening, uint64_t seq, uint64_t wall_ns, uint64_t at_ns);
  void origin(Fields& line, std::string_view rec, const EventHeader& header);
  static void address(Fields& line, std::string_view key, int family, const uint8_t* address, uint16_t port);
  static Fields& part(Fields& line, const EventHeader& header);
  static void conn_open(Fields& line, const EventView& event);
  static void data(Fields& line, const EventView& event);
  static void gap(Fields& line, const EventHeader& header);
  static void conn_close(Fields& line, const EventView& event);
  static void chan_open(Fields& line, const EventView& event);
  static void chan_close(Fields& line, const EventView& event);
  static void identity(Fields& line, const EventView& event);
  static void resize(Fields& line, const EventView& event);
  static void left_out(Fields& line, const EventHeader& header);
  static void transfer(Fields& line, const EventView& event);

  int64_t clock_offset_ns_;
  TimestampWriter timestamp_;
  std::string session_fragment_;  // ","sid":…,"session":…,"seq":
  std::string epoch_fragment_;    // ,"epoch":1
  std::string rec_;               // whose rec_fragment_ it is
  std::string rec_fragment_;      // ,"epoch":1,"rec":"r4100","pos":"
};

// The words of the trail for `why` and `via`; "unknown" for a value that a peer made up.
std::string_view word_of(GapWhy why);
std::string_view word_of(CloseWhy why);
std::string_view word_of(Via via);
std::string_view word_of(ChanKind kind);
std::string_view word_of(IdentityHow how);
std::string_view word_of(TransferProtocol protocol);

}  // namespace sidrec
