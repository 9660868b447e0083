// Run: one direction of a stream, of whose runs of bulk only the first and the last kKept bytes are kept. Pure.
//
// Invariants
//  1. What goes into the output are pieces that follow each other without hole or overlap, from the first byte on.
//  2. Held back are at most 2 * kKept bytes, of the end of a run; end() lets go of them.
//  3. A run of up to 2 * kKept bytes is kept whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/event/event.h"

namespace sidrec::fold {

inline constexpr size_t kKept = 64 * 1024;
// So much may be folded before it is told, so that a trail shows how far a long transfer is.
inline constexpr uint64_t kToldAtLeast = 4 * 1024 * 1024;

struct Piece {
  Direction dir;
  uint64_t off;
  uint64_t len;
  std::string bytes;  // empty: folded
};

class Run {
 public:
  // `off`: of the first byte that will come.
  Run(Direction dir, uint64_t off) : dir_(dir), told_(off) {}

  void keep(std::string_view bytes, std::vector<Piece>& out);
  void bulk(std::string_view bytes, std::vector<Piece>& out);
  void undecided(std::string_view bytes, std::vector<Piece>& out);
  void end(std::vector<Piece>& out);

 private:
  void put(std::string_view bytes, std::vector<Piece>& out);
  void drop_beyond(size_t kept);
  void tell_folded(std::vector<Piece>& out);

  Direction dir_;
  uint64_t told_;        // all before it is in pieces
  uint64_t run_ = 0;     // bytes of the run under way; 0: none is
  uint64_t folded_ = 0;  // of them, dropped and not told
  std::string tail_;     // its last bytes
};

}  // namespace sidrec::fold
