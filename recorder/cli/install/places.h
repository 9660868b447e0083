// What an installation is besides the services: the recorder's own user, its directories, its settings.
#pragma once

#include <string>

#include "recorder/base/result.h"
#include "recorder/cli/install/step.h"
#include "recorder/cli/store_location.h"

namespace sidrec::cli {

inline constexpr const char* kSettingsPath = "/etc/sidrec.json";

struct Places {
  std::string library;
  StoreLocation store;

  std::string folder() const { return library.substr(0, library.rfind('/')); }
};

// Those of this program. An error where they cannot be an installation's: a build tree, somebody else's directory,
// options that the settings file says otherwise.
Result<Places> places_of_installation(const StoreOptions& options);

Steps steps_to_prepare(const Places& places);
// All but the audit directory with trails in it, and the user whose these are.
Steps steps_to_clear(const Places& places);

// Those that this installation's library is loaded in: "haproxy (4711), socat (4712)".
std::string recorded_processes(const Places& places);
// When nothing is recorded any more: ends its recorders that wait for another host (decision 15), and waits for those
// that still write, some seconds.
Result<void> end_recorders(const Places& places);
// What stays for good, and why: "" if nothing does.
std::string what_stays(const Places& places);

}  // namespace sidrec::cli
