#include "recorder/cli/service_facts.h"

#include <algorithm>
#include <sstream>

#include "recorder/cli/file_text.h"
#include "recorder/cli/library.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/process_facts.h"

namespace sidrec::cli {
namespace {

std::vector<Command> commands_of(const Unit& unit) {
  std::vector<Command> commands;
  for (const std::string& value : unit.values("ExecStart")) {
    auto words = split_words(value);
    if (words.empty()) continue;
    const size_t begin = words[0].find_first_not_of("@-:+!|");
    Command command{begin == std::string::npos ? std::string() : words[0].substr(begin), {}};
    command.arguments.assign(words.begin() + 1, words.end());
    commands.push_back(std::move(command));
  }
  return commands;
}

std::string preloaded_library(const std::string& environment) {
  std::string value = variable_of(environment, "LD_PRELOAD");
  std::replace(value.begin(), value.end(), ':', ' ');
  for (const std::string& each : split_words(value)) {
    if (each.ends_with(kLibrary)) return each;
  }
  return {};
}

Result<Identity> starter_of(const Unit& unit) {
  const std::string user = unit.last("User");
  Identity who;
  if (unit.is_on("DynamicUser")) {
    who.uid = 61184;  // the first of systemd's dynamic users
    who.gid = who.uid;
  } else if (!user.empty()) {
    const auto found = identity_of_user(user);
    if (!found) return Error{unit.path() + ": there is no user " + printable(user) + " (User=): create it first"};
    who = *found;
  }
  if (const std::string group = unit.last("Group"); !group.empty()) {
    if (const auto gid = group_named(group)) who.gid = *gid;
  }
  for (const std::string& group : unit.words("SupplementaryGroups")) {
    if (const auto gid = group_named(group)) who.groups.push_back(*gid);
  }
  return who;
}

}  // namespace

std::string environment_of(const Unit& unit) {
  std::string environment;
  const auto add = [&](const std::string& assignment) { environment = assignment + '\0' + environment; };
  for (const std::string& word : unit.words("Environment")) add(word);
  for (const std::string& value : unit.values("EnvironmentFile")) {
    std::istringstream file(file_text(value.starts_with('-') ? value.substr(1) : value));
    for (std::string line; std::getline(file, line);) {
      const size_t begin = line.find_first_not_of(" \t");
      if (begin == std::string::npos || line[begin] == '#' || line[begin] == ';') continue;
      const size_t equals = line.find('=');
      if (equals == std::string::npos) continue;
      const auto value_words = split_words(line.substr(equals + 1));
      add(line.substr(begin, equals + 1 - begin) + (value_words.empty() ? "" : value_words[0]));
    }
  }
  return environment;
}

Result<Service> service_of(const Unit& unit, const StoreOptions& options,
                           const std::optional<RecorderFile>& recorder_to_be) {
  const std::string environment = environment_of(unit);
  const auto who = starter_of(unit);
  if (!who) return who.error();
  const auto variable = [&](const char* name) {
    const std::string value = variable_of(environment, name);
    // systemd sets it for a service with User=.
    return value.empty() && name == std::string_view("HOME") ? home_of(who->uid) : value;
  };
  const std::string library = preloaded_library(environment);
  const auto ours = find_library();
  const RecorderFile recorder =
      recorder_to_be ? *recorder_to_be : RecorderFile::beside(!library.empty() || !ours ? library : *ours);
  const auto store = recorder.serves_a_stranger(*who) ? installed_store(options, recorder.folder())
                                                      : locate_store(options, {variable, who->uid});
  if (!store) return store.error();
  return Service{unit,        UnitPaths(unit), commands_of(unit), *who,  unit.is_on("DynamicUser"),
                 environment, library,         recorder,          *store};
}

}  // namespace sidrec::cli
