// TrailReader: a trail line by line over all its segments, as written and as JSON. For the command line and the tests.
//
// Invariants
//  1. Reads whole lines only; a torn or still growing last line is never an error, next() sees it once it is whole.
//  2. A line that is no trail line is one error that names file and line, never a guess.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/base/result.h"
#include "recorder/trail/line_source.h"

namespace sidrec {

class TrailReader {
 public:
  // `path`: as trail_bytes.h has it.
  static Result<TrailReader> open(const std::string& path);

  // False at the end, for now.
  Result<bool> next() { return source_->next(line_); }
  std::string_view line() const { return line_; }  // without '\n', until the next call
  Result<nlohmann::json> parsed() const;

  // "FILE:LINE: what"
  Error error_here(std::string_view what) const;

  // Behind the last line that was read, right now.
  uint64_t bytes_behind() const;
  // Fewer bytes than have been read already: not the file it was.
  bool was_shortened() const;
  TrailBytes& bytes() const { return *bytes_; }
  const std::string& path() const { return bytes_->path(); }  // of the first segment
  const LineSource& source() const { return *source_; }

 private:
  explicit TrailReader(TrailBytes bytes);

  std::unique_ptr<TrailBytes> bytes_;
  std::unique_ptr<LineSource> source_;
  std::string_view line_;
};

// The text of a string member; "" where there is none.
std::string string_at(const nlohmann::json& line, const char* key);
uint64_t number_at(const nlohmann::json& line, const char* key);

// The bytes of a data line, from its `text` or `b64`; nothing if it has neither, or b64 that is not base64.
std::optional<std::string> payload_of(const nlohmann::json& line);

}  // namespace sidrec
