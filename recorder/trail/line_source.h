// LineSource: the whole lines of a trail, one after another, from a descriptor that may still be growing.
//
// Invariants
//  1. Only whole lines come out, without their '\n'. A last line that has none yet is left alone; when it has been
//     completed, or cut and written anew by a new master, the next call sees it as it then is.
//  2. Reads by offset (pread(2)): several sources may share a descriptor. The descriptor stays the caller's.
//  3. A line view lives until the next call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/result.h"

namespace sidrec {

class LineSource {
 public:
  // The longest line this project writes is about 400 KiB (a payload of 64 KiB, every byte of it escaped).
  static constexpr size_t kMaxLineBytes = 16 * 1024 * 1024;

  // `name` is the file's, for errors.
  LineSource(int fd, std::string name, uint64_t offset = 0);

  // False at the end, for now: call again when the file has grown.
  Result<bool> next(std::string_view& line);

  uint64_t line_number() const { return line_number_; }  // of the last line, from 1 when started at offset 0
  uint64_t line_offset() const { return line_offset_; }  // where the last line begins
  uint64_t next_offset() const { return offset_; }       // where the next line begins: all before it was whole lines

 private:
  Result<bool> read_more();

  int fd_;
  std::string name_;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // of what is not handed out yet
  size_t end_ = 0;
  uint64_t offset_;  // of begin_ in the file
  uint64_t line_offset_ = 0;
  uint64_t line_number_ = 0;
};

}  // namespace sidrec
