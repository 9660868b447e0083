// Where the trail store and the run directory are. The one place of the command line that decides it:
// option, else environment (SIDREC_AUDIT_DIR, SIDREC_RUN_DIR), else the JSON file --config or SIDREC_CONFIG names
// ("audit_dir", "run_dir"), else the default: as root /var/log/sidrec and /run/sidrec, otherwise
// $XDG_STATE_HOME/sidrec (~/.local/state/sidrec) and $XDG_RUNTIME_DIR/sidrec (/tmp/sidrec-<uid>).
#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <functional>
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

// Whose settings they are: this command's own, or those of a process or service that is looked at.
struct SettingsSource {
  std::function<std::string(const char*)> variable;  // the value in its environment, "" for none
  uid_t uid = 0;                                     // as whom it starts
};
SettingsSource own_settings_source();

Result<StoreLocation> locate_store(const StoreOptions& options, const SettingsSource& source = own_settings_source());

// That of an installed recorder whoever but root starts it: by the settings beside it, in `folder`.
Result<StoreLocation> installed_store(const StoreOptions& options, const std::string& folder);

// --audit-dir and --config, for the verbs that read.
void add_store_options(CLI::App& verb, StoreOptions& options);

}  // namespace sidrec::cli
