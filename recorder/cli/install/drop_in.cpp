#include "recorder/cli/install/drop_in.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "recorder/cli/diagnosis.h"
#include "recorder/cli/install/file_step.h"
#include "recorder/cli/install/ownership_step.h"
#include "recorder/cli/install/program.h"
#include "recorder/cli/place_check.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/process_facts.h"

namespace sidrec::cli {
namespace {

constexpr const char* kUnitDir = "/etc/systemd/system/";
constexpr const char* kDropInName = "50-sidrec.conf";
// Somebody whom the user's number will not be before there is such a user.
constexpr uid_t kNoUserYet = 65533;
constexpr int kRounds = 3;  // of settings that make other settings necessary

// As systemd reads it back (systemd.exec(5), systemd.syntax(7)).
std::string assignment(const std::string& name, const std::string& value) {
  std::string quoted;
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '%') quoted += '%';
    quoted += c;
  }
  return "Environment=\"" + name + "=" + quoted + "\"";
}

// What a template takes from the environment: {env:NAME}.
std::vector<std::string> variables_in(const std::string& sid) {
  constexpr std::string_view kBegin = "{env:";
  std::vector<std::string> names;
  for (size_t at = 0; (at = sid.find(kBegin, at)) != std::string::npos;) {
    at += kBegin.size();
    names.push_back(sid.substr(at, sid.find('}', at) - at));
  }
  return names;
}

bool is_sshd(const Service& service) {
  return std::any_of(service.commands.begin(), service.commands.end(),
                     [](const Command& each) { return each.path.ends_with("/sshd"); });
}

// `now`: with the drop-in that it may have already.
std::string sid_for(const Service& service, const Unit& now, const std::string& wish) {
  if (!wish.empty()) return wish;
  const std::string has = variable_of(environment_of(now), "SIDREC_SID");
  return has.empty() && is_sshd(service) ? "{user}@{client_ip}" : has;
}

// As it will be when the recorder has its own user.
RecorderFile installed_recorder(const std::string& library) {
  RecorderFile recorder = RecorderFile::beside(library);
  recorder.is_installed = true;
  const auto user = identity_of_user(kUser);
  recorder.user = user ? Identity{user->uid, user->gid, {}} : Identity{kNoUserYet, kNoUserYet, {}};
  return recorder;
}

Result<Service> service_with(const Unit& unit, const std::vector<std::string>& lines, const Places& places) {
  Unit changed = unit;
  std::string text = "[Service]\n";
  for (const std::string& line : lines) text += line + "\n";
  changed.apply(text, unit.name());
  return service_of(changed, {places.store.audit_dir, places.store.run_dir, {}}, installed_recorder(places.library));
}

// Adds what the doctor would tell an administrator to write into the unit, until he has nothing more to say.
Result<void> mend(const Unit& unit, std::vector<std::string>& lines, const Places& places) {
  auto service = service_with(unit, lines, places);
  for (int round = 0; service && round < kRounds; ++round) {
    const size_t before = lines.size();
    const Findings findings = findings_of_service(*service);
    for (const Finding& finding : findings.all()) {
      for (const std::string& setting : finding.settings) {
        if (std::find(lines.begin(), lines.end(), setting) == lines.end()) lines.push_back(setting);
      }
    }
    if (lines.size() == before) break;
    service = service_with(unit, lines, places);
  }
  if (!service) return service.error();
  return can_be_recorded(*service, false);
}

}  // namespace

Result<std::string> unit_name(const std::string& name) {
  constexpr std::string_view kSuffix = ".service";
  if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.')) {
    return Error{printable(name) + " is no name of a service: give one as \"haproxy\" or \"redis-server.service\""};
  }
  for (const char* other : {".socket", ".target", ".timer", ".slice", ".mount", ".path"}) {
    if (name.ends_with(other)) return Error{printable(name) + " serves no clients itself: name its service"};
  }
  return name.ends_with(kSuffix) ? name : name + std::string(kSuffix);
}

Result<void> can_be_recorded(const Service& service, bool installed) {
  const std::vector<std::string> made = {words_of(Directory::kAudit).check, words_of(Directory::kRun).check,
                                         "recorder"};
  const Findings findings = findings_of_service(service);
  for (const Finding& each : findings.all()) {
    if (each.severity != Severity::kProblem) continue;
    if (!installed && std::find(made.begin(), made.end(), each.check) != made.end()) continue;
    return Error{service.unit.name() + " could not be recorded: " + each.what + " " + each.why + " " + each.remedy};
  }
  return {};
}

std::string drop_in_path(const std::string& unit) { return kUnitDir + unit + ".d/" + kDropInName; }

std::vector<std::string> drop_ins_of_installation() {
  std::vector<std::string> paths;
  std::error_code failed;
  for (const auto& folder : std::filesystem::directory_iterator(kUnitDir, failed)) {
    const std::string path = folder.path() / kDropInName;
    if (is_written_by_us(path)) paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<void> reload_service_manager() {
  if (::access("/run/systemd/system", F_OK) != 0) return {};
  return run_tool({"systemctl", "daemon-reload"});
}

Result<DropIn> drop_in_for(const std::string& unit, const std::string& sid, const Places& places) {
  const auto bare = Unit::load(unit, standard_unit_dirs(), kDropInName), now = Unit::load(unit, standard_unit_dirs());
  if (!bare) return Error{bare.error().message + ": check the name (systemctl list-units --type=service)"};
  if (!now) return now.error();
  const auto service = service_of(*bare, {});
  if (!service) return service.error();

  const std::string preloaded = variable_of(service->environment, "LD_PRELOAD");
  std::vector<std::string> variables = {"LD_PRELOAD"};
  std::vector<std::string> lines = {
      assignment("LD_PRELOAD", preloaded.empty() ? places.library : places.library + ":" + preloaded)};
  if (const std::string chosen = sid_for(*service, *now, sid); !chosen.empty()) {
    lines.push_back(assignment("SIDREC_SID", chosen));
    variables.push_back("SIDREC_SID");
    for (const std::string& each : variables_in(chosen)) variables.push_back(each);
  }
  // Only members of its group may have their service recorded.
  if (!service->starts_as_root()) lines.push_back(std::string("SupplementaryGroups=") + kUser);
  if (auto done = mend(*bare, lines, places); !done) return done.error();
  lines.push_back(assignment("SIDREC_CONFIG", kSettingsPath));  // last: it is not there yet
  variables.push_back("SIDREC_CONFIG");

  std::string text = "[Service]\n";
  for (const std::string& line : lines) text += line + "\n";
  return DropIn{bare->name(), drop_in_path(bare->name()), text, variables, *service};
}

}  // namespace sidrec::cli
