// Which trail the user means: a file, or a SID and perhaps one of its sessions.
#pragma once

#include <optional>
#include <string>

#include "recorder/base/result.h"
#include "recorder/trail/trail_store.h"

namespace sidrec::cli {

// The newest trail: of the store if `sid` is empty, else of that SID; with `session` the one whose id begins so.
// Nothing if there is none (yet); an error if `session` fits several.
Result<std::optional<TrailFile>> find_trail(const std::string& audit_dir, const std::string& sid,
                                            const std::string& session);

// The sentence for "there is none".
std::string no_trail(const std::string& audit_dir, const std::string& sid, const std::string& session);

// `argument` names a trail file, not a SID: it has a '/' or ends in ".jsonl".
bool is_trail_path(const std::string& argument);

}  // namespace sidrec::cli
