// Where the trail store and the run directory are. The one place of the command line that decides it:
// option, else environment (SIDREC_AUDIT_DIR, SIDREC_RUN_DIR), else the JSON file --config or SIDREC_CONFIG names
// ("audit_dir", "run_dir"), else the default: as root /var/log/sidrec and /run/sidrec, otherwise
// $XDG_STATE_HOME/sidrec (~/.local/state/sidrec) and $XDG_RUNTIME_DIR/sidrec (/tmp/sidrec-<uid>).
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "recorder/base/result.h"

namespace sidrec::cli {

// As given on the command line; "" where it was not.
struct StoreOptions {
  std::string audit_dir;
  std::string run_dir;
  std::string config;
};

// Absolute paths.
struct StoreLocation {
  std::string audit_dir;
  std::string run_dir;
  std::string config;  // "" where there is none
};

Result<StoreLocation> locate_store(const StoreOptions& options);

// --audit-dir and --config, for the verbs that read.
void add_store_options(CLI::App& verb, StoreOptions& options);

}  // namespace sidrec::cli
