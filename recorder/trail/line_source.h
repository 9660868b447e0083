// LineSource: the whole lines of a trail, one after another, while it may still be growing.
//
// Invariants
//  1. Only whole lines come out, without their '\n'. A last line that has none yet is left alone; when it has been
//     completed, or cut and written anew by a new master, the next call sees it as it then is.
//  2. Reads by offset: several sources may share the bytes, which stay the caller's.
//  3. A line view lives until the next call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/trail/trail_bytes.h"

namespace sidrec {

class LineSource {
 public:
  // The longest line this project writes is about 400 KiB (a payload of 64 KiB, every byte of it escaped).
  static constexpr size_t kMaxLineBytes = 16 * 1024 * 1024;

  explicit LineSource(TrailBytes& bytes, uint64_t offset = 0);

  // False at the end, for now: call again when the file has grown.
  Result<bool> next(std::string_view& line);

  // The last line's file, and which it is in there; when started at offset 0.
  const std::string& line_file() const { return bytes_.path_at(line_offset_); }
  uint64_t line_number() const { return line_number_; }
  uint64_t line_offset() const { return line_offset_; }  // where the last line begins
  uint64_t next_offset() const { return offset_; }       // where the next line begins: all before it was whole lines

 private:
  Result<bool> read_more();

  void count_line();

  TrailBytes& bytes_;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // of what is not handed out yet
  size_t end_ = 0;
  uint64_t offset_;  // of begin_ in the file
  uint64_t line_offset_ = 0;
  uint64_t segment_begin_ = 0;  // of the last line's segment
  uint64_t line_number_ = 0;
};

}  // namespace sidrec
