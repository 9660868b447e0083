// Recorded bytes as a terminal may safely see them. What a client sent must not move the auditor's cursor, set his
// title or turn his text around, so everything that is not a visible character of valid UTF-8 is escaped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sidrec::cli {

// \r \n \t \\ and \xNN for bytes; \u{NNNN} for characters that control a terminal or the direction of text (C1,
// bidirectional and invisible ones). Stops after `limit` bytes of input and says how many more there are.
std::string printable(std::string_view bytes, size_t limit = ~size_t{0});

// Columns that text from printable() takes: its characters, each counted as one.
size_t columns(std::string_view text);

}  // namespace sidrec::cli
