#include "recorder/cli/trail_choice.h"

#include <unistd.h>

#include <vector>

#include "recorder/base/sid_path.h"
#include "recorder/cli/exit_code.h"
#include "recorder/cli/printable.h"
#include "recorder/trail/trail_store.h"

namespace sidrec::cli {

namespace {

// A trail file, not a SID.
bool is_trail_path(const std::string& argument) {
  return argument.find('/') != std::string::npos || parse_segment_name(argument) || argument.ends_with(kTrailSuffix);
}

// Those of the store if `sid` is empty, else of that SID; with `session` those whose ids begin so.
Result<std::vector<TrailFile>> find_trails(const std::string& audit_dir, const std::string& sid,
                                           const std::string& session) {
  auto trails = sid.empty() ? trails_of_store(audit_dir) : trails_of_sid(audit_dir, sid);
  if (!trails) return trails;
  std::erase_if(*trails, [&](const TrailFile& trail) { return !trail.session.starts_with(session); });
  return trails;
}

// The newest of them. Nothing if there is none (yet); an error if `session` fits several.
Result<std::optional<TrailFile>> find_trail(const std::string& audit_dir, const std::string& sid,
                                            const std::string& session) {
  auto trails = find_trails(audit_dir, sid, session);
  if (!trails) return trails.error();
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

}  // namespace

void add_trail_choice(CLI::App& verb, TrailChoice& choice) {
  verb.add_option("SID|FILE", choice.what,
                  "The session's SID, or a trail file (a path with a '/', or *.jsonl). Default: "
                  "the newest session");
  verb.add_option("--session", choice.session, "Id of the session, or how it begins (default: the newest)");
  add_store_options(verb, choice.store);
}

Result<std::string> path_of(const TrailChoice& choice) {
  if (is_trail_path(choice.what)) return choice.what;
  const auto store = locate_store(choice.store);
  if (!store) return store.error();
  const auto trail = find_trail(store->audit_dir, choice.what, choice.session);
  if (!trail) return trail.error();
  if (!*trail) return Error{no_trail(store->audit_dir, choice.what, choice.session)};
  return (*trail)->path();
}

Result<std::vector<std::string>> all_paths_of(const TrailChoice& choice) {
  if (is_trail_path(choice.what)) return std::vector{choice.what};
  const auto store = locate_store(choice.store);
  if (!store) return store.error();
  const auto trails = find_trails(store->audit_dir, choice.what, choice.session);
  if (!trails) return trails.error();
  std::vector<std::string> paths;
  for (const TrailFile& trail : *trails) paths.push_back(trail.path());
  return paths;
}

Result<std::optional<std::string>> wait_for_path(const TrailChoice& choice, StoreWatch& watch) {
  if (is_trail_path(choice.what)) return std::optional(choice.what);
  const auto store = locate_store(choice.store);
  if (!store) return store.error();
  bool said = false;
  while (true) {
    watch.watch(store->audit_dir);
    auto trail = find_trail(store->audit_dir, choice.what, choice.session);
    if (!trail) return trail.error();
    if (*trail) return std::optional((*trail)->path());
    if (!said && isatty(STDERR_FILENO) == 1) complain("waiting for a session in " + store->audit_dir);
    said = true;
    if (!watch.wait()) return std::optional<std::string>();
  }
}

}  // namespace sidrec::cli
