// The last whole line of a trail, without reading the trail: how a session that has ended is told from one that has
// not, in constant time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sidrec {

// Nothing if the file is empty, cannot be read, or its last line is longer than 64 KiB (session.end never is).
std::optional<std::string> last_whole_line(int fd);

bool is_session_end(std::string_view line);

}  // namespace sidrec
