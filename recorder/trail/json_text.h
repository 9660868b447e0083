// Bytes as JSON, the hot part of the trail's writer: everything a client sends passes here once.
//
// Invariants
//  1. Nothing is replaced or dropped: what was appended decodes to exactly the bytes given.
//  2. No allocation but the growth of `out`; no byte is looked at by code that runs one byte at a time while it is
//     plain ASCII.
//  3. A control character never appears raw, so a line holds exactly one '\n', its last byte.
#pragma once

#include <string>
#include <string_view>

namespace sidrec {

// `bytes` escaped as the inside of a JSON string. False, and `out` as it was, if they are not valid UTF-8.
[[nodiscard]] bool append_json_text(std::string& out, std::string_view bytes);

// RFC 4648 section 4, with padding.
void append_base64(std::string& out, std::string_view bytes);

// A whole JSON string for a name (a SID, a program, a host). A name that is not valid UTF-8 is percent-encoded
// first, every byte outside printable ASCII and '%' itself, so that it stays readable and loses nothing.
void append_json_name(std::string& out, std::string_view name);

}  // namespace sidrec
