// Which trail the user means: a file, or a SID and perhaps one of its sessions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/cli/store_location.h"
#include "recorder/cli/store_watch.h"

namespace sidrec::cli {

// As given on the command line; "" where it was not.
struct TrailChoice {
  StoreOptions store;
  std::string what;     // SID or file; "": the newest session of the store
  std::string session;  // how its id begins; "": the newest
};

// SID|FILE, --session and the store's options.
void add_trail_choice(CLI::App& verb, TrailChoice& choice);

// The path of the trail. An error if there is none.
Result<std::string> path_of(const TrailChoice& choice);

// All sessions of the SID, or of the store where none is given; oldest first, perhaps none.
Result<std::vector<std::string>> all_paths_of(const TrailChoice& choice);

// The same, but waits for the trail if there is none yet. Nothing if the reader of standard output has gone meanwhile.
Result<std::optional<std::string>> wait_for_path(const TrailChoice& choice, StoreWatch& watch);

}  // namespace sidrec::cli
