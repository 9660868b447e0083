// TerminalStream: one terminal of a trail, event by event, while the trail may still be growing.
//
// Invariants
//  1. Bytes come in the order of `off`, none twice; what the trail cannot give is an event of its own, a hole, at the
//     place where it is missing. Masked input is no event.
//  2. Times count from the terminal's beginning and never fall.
//  3. Memory does not grow with the trail: at most kMaxHeldLines lines wait for one that is before them by `off`.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "recorder/base/result.h"
#include "recorder/cli/terminals.h"
#include "recorder/event/event.h"
#include "recorder/trail/line_facts.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/timestamp.h"

namespace sidrec::cli {

inline constexpr size_t kMaxHeldLines = 64;

struct TerminalEvent {
  enum class Kind { kBytes, kHole, kResize };
  Kind kind;
  Direction dir = Direction::kOut;  // of bytes and of a hole
  uint64_t time_ns = 0;
  std::string text;  // the bytes; of a hole, a sentence
  ScreenSize size;
};

// What stands on a screen where bytes are missing. `styled`: for a terminal; ends an escape sequence cut short, and
// stands out.
std::string hole_mark(const std::string& hole, bool styled);

class TerminalStream {
 public:
  // Keystrokes too, if `with_input`. The reader stays the caller's.
  TerminalStream(TrailReader& reader, const Terminal& terminal, bool with_input);

  // Nothing: there is none, for now, or (ended()) for ever.
  Result<std::optional<TerminalEvent>> next();
  bool ended() const { return ended_ && events_.empty(); }

  // Waits no longer for what is missing: it becomes a hole, and what was held back behind it comes.
  void settle();

 private:
  struct Piece {
    uint64_t off = 0;
    uint64_t len = 0;
    uint64_t wall_ns = 0;
    std::string bytes;
    std::string hole;  // why there are no bytes
    bool masked = false;
  };
  struct Flow {
    uint64_t reached = 0;
    uint64_t final = 0;              // as the close counts it
    std::map<uint64_t, Piece> held;  // by off
  };

  Result<void> take(const LineFacts& facts);
  Result<Piece> piece_of(const LineFacts& facts, uint64_t wall_ns) const;
  Result<void> close();
  bool is_wanted(Direction dir) const { return dir == Direction::kOut || (with_input_ && dir == Direction::kIn); }
  void place(Direction dir, Piece piece);
  void put(Direction dir, Piece piece);
  void put_held(Direction dir);
  void skip_to_held(Direction dir);
  void put_hole(Direction dir, uint64_t wall_ns, std::string sentence);
  void end_if_complete();
  void push(uint64_t wall_ns, TerminalEvent event);

  TrailReader& reader_;
  const std::string conn_;
  const std::string chan_;
  const uint64_t start_ns_;
  const bool with_input_;
  LineFactsReader facts_reader_;
  TimestampReader times_;
  Flow flows_[kDirections];
  std::deque<TerminalEvent> events_;
  uint64_t last_ns_ = 0;
  bool closed_ = false;
  bool ended_ = false;
};

}  // namespace sidrec::cli
