// LineFacts: what a line of a trail says about its place and its bytes, without its payload. Read at the speed of a
// new master that takes a trail over, so lines as we write them are taken apart by their fixed key order; any other
// JSON line (written by hand, by a later version) takes the long way through a JSON parser and says the same.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/event/event.h"

namespace sidrec {

enum class LineKind {
  kSessionStart,
  kConnOpen,
  kData,
  kGap,
  kConnClose,
  kChanOpen,
  kChanClose,
  kIdentity,
  kTtyResize,
  kMasterChange,
  kSessionEnd,
  kSeal,
  kOther,
};

struct LineFacts {
  LineKind kind = LineKind::kOther;
  std::string_view ts;
  uint64_t seq = 0;
  uint32_t epoch = 0;
  std::string_view rec;          // empty where the line has none
  std::optional<uint32_t> lane;  // kNoLane for "-"; nothing where the line has no pos
  uint64_t pos = 0;
  std::string_view conn;  // empty where the line has none
  std::string_view chan;  // empty where the line concerns the connection itself
  Direction dir = Direction::kIn;
  uint64_t off = 0;  // data, gap
  uint64_t len = 0;
};

class LineFactsReader {
 public:
  // False if `line` is not a trail line. Views in `facts` live as long as `line` and until the next call.
  bool read(std::string_view line, LineFacts& facts);

 private:
  bool read_our_order(std::string_view line, LineFacts& facts);
  bool read_any_order(std::string_view line, LineFacts& facts);

  std::string fragment_;   // from behind the ts of the last line to its seq: the same for a whole session
  nlohmann::json parsed_;  // what the views of read_any_order point into
};

// The word of `dir`.
std::optional<Direction> direction_of(std::string_view text);

// "c7f3a" as the socket cookie it stands for.
std::optional<uint64_t> conn_of(std::string_view text);

}  // namespace sidrec
