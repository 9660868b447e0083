// A service as its unit describes it: what it starts, as whom, with which settings, in what surroundings.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/cli/identity.h"
#include "recorder/cli/recorder_file.h"
#include "recorder/cli/store_location.h"
#include "recorder/cli/unit_file.h"
#include "recorder/cli/unit_paths.h"

namespace sidrec::cli {

// One ExecStart=: "-!/usr/sbin/haproxy -Ws -f …"
struct Command {
  std::string path;
  std::vector<std::string> arguments;
};

struct Service {
  Unit unit;
  UnitPaths paths;
  std::vector<Command> commands;
  Identity who;
  bool dynamic_user;
  std::string environment;  // NAME=value, each ended by NUL
  std::string library;      // libsidrec.so as LD_PRELOAD names it; "" if it does not
  RecorderFile recorder;    // beside it, or beside the one that would be preloaded
  StoreLocation store;

  bool starts_as_root() const { return who.uid == 0; }
};

// Environment= and the files of EnvironmentFile=, as the process will find it: NAME=value, each ended by NUL.
std::string environment_of(const Unit& unit);

// `recorder`: to be taken for the one beside the library, which may be about to change.
Result<Service> service_of(const Unit& unit, const StoreOptions& options,
                           const std::optional<RecorderFile>& recorder = {});

}  // namespace sidrec::cli
