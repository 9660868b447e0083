// The end of a trail, without reading the trail: how a session that has ended is told from one that has not, in
// constant time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sidrec {

// The trail's session.end: its last whole line, or the one before if that is the seal which follows a session.end.
// Nothing if it has none, or cannot be read.
std::optional<std::string> session_end_of(int fd);

bool is_session_end(std::string_view line);

}  // namespace sidrec
