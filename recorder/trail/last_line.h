// The end of a trail, without reading the trail: how a session that has ended is told from one that has not, in
// constant time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "recorder/trail/trail_bytes.h"

namespace sidrec {

struct TrailEnd {
  std::string session_end;  // the line
  std::string hash;         // of the seal behind it; empty where there is none
};

// Session.end is the trail's last whole line, or the one before if that is a seal. Nothing if it has none, or cannot be
// read.
std::optional<TrailEnd> trail_end_of(TrailBytes& bytes);

bool is_session_end(std::string_view line);

}  // namespace sidrec
