// The names a SID and a session give to files: the one maker of every path in the trail store and of the sockets.
// For the recorder (election, trail) and the command line. Pure but for make_sid_dir() and new_session_id().
//
// Invariants
//  1. A SID is hostile input. What encode_sid() returns is one path component: never empty, never "." or "..",
//     no '/', no leading dot, at most kMaxEncodedSid bytes, all of them in [A-Za-z0-9._@:%-].
//  2. Different SIDs give different names: '%' itself is encoded, so "%" (the empty SID) and "%-" (the start of a
//     long SID's hash) cannot come from a short one.
//  3. Trail names of one SID sort by start time: <YYYYMMDDTHHMMSSZ>-<session id>.jsonl, the id being a UUIDv7. The
//     trail's further segments have their number before the suffix (….2.jsonl), a compressed one .zst behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/base/result.h"

namespace sidrec {

inline constexpr size_t kMaxEncodedSid = 200;           // of the 255 a file name may have, with room for a suffix
inline constexpr std::string_view kLiveLink = ".live";  // in a SID's directory: symlink to the unfinished trail
inline constexpr std::string_view kTrailSuffix = ".jsonl";
inline constexpr std::string_view kCompressedSuffix = ".zst";

std::string encode_sid(std::string_view sid);

// 32 hexadecimal digits of the SID's SHA-256, and ".sock": always short enough for sockaddr_un (unix(7)).
std::string socket_name(std::string_view sid);
std::string socket_path(std::string_view run_dir, std::string_view sid);

std::string sid_dir(std::string_view audit_dir, std::string_view sid);

// Makes the SID's directory and those above it, mode 0750. An error when it, or the audit directory, can be written
// by the world: then anybody could put trails in or take them away (DESIGN D5).
Result<void> make_sid_dir(std::string_view audit_dir, std::string_view sid);

// RFC 9562, version 7: sorts by time.
std::string new_session_id(uint64_t wall_ms);
// Lower-case hexadecimal digits and dashes in a UUID's places: fit for a file name, whoever sent it.
bool is_session_id(std::string_view text);

std::string trail_name(uint64_t start_wall_ns, std::string_view session);

// The name of one segment's file.
struct SegmentName {
  std::string stem;  // <start>-<session id>
  uint32_t number = 1;
  bool compressed = false;

  std::string text() const;
  std::string session() const;
  SegmentName next() const { return {stem, number + 1, false}; }
};
// Nothing if the name is not one that trail_name() or text() makes.
std::optional<SegmentName> parse_segment_name(std::string_view name);

}  // namespace sidrec
