#include <algorithm>
#include <iterator>
#include <sstream>

#include "recorder/cli/diagnosis.h"
#include "recorder/cli/file_text.h"
#include "recorder/cli/library.h"
#include "recorder/cli/place_check.h"
#include "recorder/cli/preload_check.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/process_facts.h"
#include "recorder/cli/sandbox_check.h"
#include "recorder/cli/service_facts.h"

namespace sidrec::cli {
namespace {

void check_commands(Findings& findings, const Service& service) {
  if (service.commands.empty()) {
    return findings.problem("program", "The unit has no ExecStart=.", "It starts nothing that could be recorded.",
                            "Name the unit that starts the program.");
  }
  for (const Command& command : service.commands) {
    const std::string path = find_program(command.path);
    if (!path.empty()) {
      check_program_file(findings, path, command.arguments);
      continue;
    }
    findings.problem("program", printable(command.path) + ", which ExecStart= names, is not there.",
                     "The service cannot start.", "Install it, or correct the unit.");
  }
}

// Library and recorder lie side by side, so one remedy serves both.
void check_reach(Findings& findings, const Service& service, const std::string& library) {
  const std::string dir = library.substr(0, library.rfind('/'));
  const std::string recorder = RecorderFile::beside(library).path;
  for (const std::string& file : {library, recorder}) {
    const PathRule rule = service.paths.rule_for(file);
    if (rule.access != PathAccess::kInaccessible && rule.access != PathAccess::kPrivate) continue;
    findings.problem("library", rule.setting + " hides " + printable(file) + ".", "The service cannot start it.",
                     "Add BindReadOnlyPaths=" + printable(dir) + ", or install sidrec below /usr.",
                     {"BindReadOnlyPaths=" + dir});
    break;
  }
  for (const std::string& file : {library, recorder}) {
    const std::string setting = service.paths.what_forbids_execution(file);
    if (setting.empty()) continue;
    findings.problem("library", setting + " forbids to execute " + printable(file) + ".",
                     "Neither can the library be loaded nor the recorder be started.",
                     "Add ExecPaths=" + printable(dir) + " to the unit.", {"ExecPaths=" + dir});
    break;
  }
}

// The one that it has, or else the one that it would be given.
std::string check_library(Findings& findings, const Service& service) {
  const auto ours = find_library();
  const std::string library = !service.library.empty() ? service.library : ours ? *ours : std::string(kLibrary);
  if (service.library.empty()) {
    findings.problem("library", "The unit does not preload " + std::string(kLibrary) + ".",
                     "As it is, the service is not recorded.",
                     "Add a drop-in (systemctl edit) with [Service] Environment=LD_PRELOAD=" + printable(library) + ".",
                     {"Environment=LD_PRELOAD=" + library});
  } else if (!may_access(service.who, library, R_OK)) {
    findings.problem("library", service.who.name() + " cannot read " + printable(library) + ".",
                     "The loader then starts the service without it.", "Install it there, readable for everybody.");
  } else {
    findings.ok("library", "The unit preloads " + printable(library) + ".");
  }
  check_reach(findings, service, library);
  return library;
}

// A missing directory (-) must not keep the service from its start.
std::vector<std::string> made_writable(const std::string& path) { return {"ReadWritePaths=-" + path}; }

void check_service_directory(Findings& findings, const Service& service, Directory which, const std::string& path) {
  const DirectoryWords words = words_of(which);
  const PathRule rule = service.paths.rule_for(path);
  switch (rule.access) {
    case PathAccess::kUnchanged:
      if (service.dynamic_user && !service.recorder.is_installed && obstacle_to_writing(path, service.who)) break;
      return check_directory(findings, which, path, writer_of(service.recorder, service.who, path));
    case PathAccess::kMade:
      findings.ok(words.check, printable(path) + " is made by " + rule.setting + ".");
      return check_file_system(findings, which, path);
    case PathAccess::kPrivate:
      return findings.problem(
          words.check, rule.setting + " puts a directory of its own in the place of one above " + printable(path) + ".",
          which == Directory::kRun ? "A session through two services would fall into two trails."
                                   : "Its trails are seen by nobody else, and go when it stops.",
          std::string("Set ") + words.variable + " to a directory elsewhere, and ReadWritePaths= to it.",
          made_writable(path));
    case PathAccess::kReadOnly:
    case PathAccess::kInaccessible:
      return findings.problem(words.check, rule.setting + " keeps " + printable(path) + " from the service.",
                              "Library and recorder write there; without it nothing is recorded.",
                              "Add ReadWritePaths=" + printable(path) + " to the unit.", made_writable(path));
  }
  findings.problem(words.check, "DynamicUser=yes gives the service a user that owns nothing.",
                   "It cannot write to " + printable(path) + ".",
                   "Put the user into the directory's group with SupplementaryGroups=.");
}

std::vector<pid_t> pids_of(const std::string& name) {
  for (const char* hierarchy : {"/sys/fs/cgroup/system.slice/", "/sys/fs/cgroup/systemd/system.slice/"}) {
    std::istringstream file(file_text(hierarchy + name + "/cgroup.procs"));
    std::vector<pid_t> pids{std::istream_iterator<pid_t>(file), {}};
    if (!pids.empty()) return pids;
  }
  return {};
}

// A drop-in is for the next start; what runs now may be older.
void check_running(Findings& findings, const Service& service, const std::string& name) {
  size_t with = 0, without = 0;
  for (const pid_t pid : pids_of(name)) {
    const auto process = facts_of_process(pid);
    const bool serves =
        process && std::any_of(service.commands.begin(), service.commands.end(), [&](const Command& each) {
          return check_program(each.path).executable == process->program;
        });
    if (serves) ++(process->mappings.library.empty() ? without : with);
  }
  if (without > 0) {
    findings.problem("running now", std::to_string(without) + " of its processes run without the library.",
                     "They were started before it was set up, and are not recorded.",
                     "Restart the service when it suits.");
  } else if (with > 0) {
    findings.ok("running now", "All its processes have the library loaded: " + std::to_string(with) + ".");
  }
}

}  // namespace

Findings findings_of_service(const Service& service) {
  Findings findings;
  check_commands(findings, service);
  const std::string library = check_library(findings, service);
  check_recorder(findings, library, service.who);
  check_service_directory(findings, service, Directory::kAudit, service.store.audit_dir);
  check_service_directory(findings, service, Directory::kRun, service.store.run_dir);
  check_sandbox(findings, service);
  return findings;
}

Result<Diagnosis> diagnose_service(const std::string& name, const std::vector<std::string>& unit_dirs,
                                   const StoreOptions& options) {
  const auto unit = Unit::load(name, unit_dirs);
  if (!unit) return unit.error();
  const auto service = service_of(*unit, options);
  if (!service) return service.error();
  Diagnosis diagnosis{"service", {}, name + ", " + unit->path(), "It will be recorded.", findings_of_service(*service)};
  check_running(diagnosis.findings, *service, name);
  return diagnosis;
}

}  // namespace sidrec::cli
