// What a service may do at a path, by the sandboxing settings of its unit (systemd.exec(5)): the setting that names the
// nearest directory above the path decides, as the mounts do that systemd makes of them.
#pragma once

#include <string>
#include <vector>

#include "recorder/cli/unit_file.h"

namespace sidrec::cli {

enum class PathAccess {
  kUnchanged,  // what mode and owner allow
  kMade,       // systemd makes it, for the service's user
  kPrivate,    // a directory of the service's own, which nobody else sees, is in its place
  kReadOnly,
  kInaccessible,
};

struct PathRule {
  std::string path;
  PathAccess access;
  std::string setting;  // "ProtectSystem=strict"
};

class UnitPaths {
 public:
  explicit UnitPaths(const Unit& unit);

  // The rule that decides; of kUnchanged and without a setting where there is none.
  PathRule rule_for(const std::string& path) const;
  // The setting that forbids to execute `path`; "" for none.
  std::string what_forbids_execution(const std::string& path) const;

 private:
  void add(const Unit& unit, const std::string& key, PathAccess access);
  void add_protections(const Unit& unit);
  void add_directories(const Unit& unit);

  std::vector<PathRule> rules_;
  std::vector<PathRule> execution_;  // kInaccessible: may not be executed
};

}  // namespace sidrec::cli
