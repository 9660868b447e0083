#include "recorder/cli/trail_choice.h"

#include <vector>

#include "recorder/base/sid_path.h"
#include "recorder/cli/printable.h"

namespace sidrec::cli {

Result<std::optional<TrailFile>> find_trail(const std::string& audit_dir, const std::string& sid,
                                            const std::string& session) {
  auto trails = sid.empty() ? trails_of_store(audit_dir) : trails_of_sid(audit_dir, sid);
  if (!trails) return trails.error();
  std::erase_if(*trails, [&](const TrailFile& trail) { return !trail.session.starts_with(session); });
  if (trails->empty()) return std::optional<TrailFile>();
  if (!session.empty() && trails->size() > 1) {
    return Error{"the session " + printable(session) + " could be any of " + std::to_string(trails->size()) +
                 ": give more of its id"};
  }
  return std::optional<TrailFile>(trails->back());
}

std::string no_trail(const std::string& audit_dir, const std::string& sid, const std::string& session) {
  const std::string where = sid.empty() ? audit_dir : sid_dir(audit_dir, sid);
  const std::string what = session.empty() ? "no session" : "no session " + printable(session);
  return what + " in " + where + ": see \"sidrec ls\", or name the store with --audit-dir";
}

bool is_trail_path(const std::string& argument) {
  return argument.find('/') != std::string::npos || argument.ends_with(kTrailSuffix);
}

}  // namespace sidrec::cli
