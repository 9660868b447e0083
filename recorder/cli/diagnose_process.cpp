#include <algorithm>

#include "recorder/cli/apparmor.h"
#include "recorder/cli/diagnosis.h"
#include "recorder/cli/library.h"
#include "recorder/cli/place_check.h"
#include "recorder/cli/preload_check.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/process_facts.h"

namespace sidrec::cli {
namespace {

constexpr const char* kStartAnew = "Start it anew under \"sidrec run\", or with LD_PRELOAD in its service.";

void check_library(Findings& findings, const ProcessFacts& process) {
  const Mappings& mappings = process.mappings;
  if (mappings.library.empty()) {
    const bool asked = variable_of(process.environment, "LD_PRELOAD").find(kLibrary) != std::string::npos;
    return findings.problem(
        "library",
        std::string(kLibrary) + (asked ? " was asked for, but the loader has not loaded it." : " is not loaded."),
        "Nothing of this process is recorded.",
        asked ? "See the other findings, and whether the library's path can be read by the process." : kStartAnew);
  }
  if (mappings.library_replaced) {
    return findings.note("library", printable(mappings.library) + " has been replaced since it was loaded.",
                         "The process goes on with the former version.", "Restart it when it suits.");
  }
  findings.ok("library", printable(mappings.library) + " is loaded.");
}

void check_secure_execution(Findings& findings, const ProcessFacts& process) {
  if (process.secure.value_or(false)) {
    findings.problem("secure execution", "The process was started in secure execution (AT_SECURE).",
                     "The loader preloads nothing there: a set-id bit, a file capability or ruid != euid at exec.",
                     "Start it as the user that it needs, without such a bit; squid with -N.");
  }
  for (const pid_t child : children_of(process.pid)) {
    // Others, like a login's sudo, are no part of the service.
    if (program_of(child) != process.program || !is_secure(child).value_or(false)) continue;
    findings.problem("secure execution",
                     "Its child " + std::to_string(child) + " runs in secure execution (AT_SECURE).",
                     "The loader preloads nothing there, so what the child serves is not recorded.",
                     "Start the program so that it serves by itself; squid with -N.");
  }
}

// True if every ring is being read.
bool check_rings(Findings& findings, const ProcessFacts& process) {
  bool all = true;
  for (const MappedRing& ring : process.mappings.rings) {
    const std::string name = printable(ring.path.substr(ring.path.rfind('/') + 1));
    if (has_recorder(process.pid, ring)) {
      findings.ok("recording", "A recorder reads its ring " + name + " in " + printable(ring.run_dir()) + ".");
      continue;
    }
    all = false;
    findings.problem("recording", "No recorder reads its ring " + name + ".",
                     "What it carries stays in the ring until that is full, and is lost then.",
                     "Look into " + printable(ring.run_dir()) + " for the recorder's log, then restart the process.");
  }
  return all;
}

void check_waiting(Findings& findings, const ProcessFacts& process) {
  if (process.client_connections == 0) {
    return findings.ok("recording", "It waits for its first client connection; its ring is made then.");
  }
  findings.problem("recording",
                   "It holds " + std::to_string(process.client_connections) + " client connections, but no ring.",
                   "What they have carried so far is not recorded.",
                   "If they have carried nothing yet, ask again later; else see the other findings and restart it.");
}

void check_io_urings(Findings& findings, const ProcessFacts& process) {
  if (process.io_urings == 0) return;
  findings.problem("io_uring", "It has set up io_uring (" + std::to_string(process.io_urings) + ").",
                   "Bytes that pass by it are missing, and conn.close says \"complete\":false.",
                   "Turn io_uring off in its settings, unless it is for files only.");
}

void check_profile(Findings& findings, const ProcessFacts& process, bool recording) {
  auto profile = profile_of_label(process.label);
  if (!profile) return;
  if (recording) return findings.ok("AppArmor", "Profile " + printable(profile->name) + " lets it be recorded.");
  if (const auto written = profile_for(process.program)) {
    profile->file = written->file;
    profile->knows_us = written->knows_us;
  }
  report_profile(findings, *profile);
}

// The process's own settings, as far as its environment still shows them.
Result<StoreLocation> store_of(const ProcessFacts& process, const StoreOptions& options) {
  SettingsSource source = own_settings_source();
  if (!process.mappings.library.empty()) {
    source.variable = [&](const char* name) { return variable_of(process.environment, name); };
    source.uid = process.who.uid;
  }
  const RecorderFile recorder = RecorderFile::beside(process.mappings.library);
  auto store = recorder.serves_a_stranger(process.who) ? installed_store(options, recorder.folder())
                                                       : locate_store(options, source);
  if (store && !process.mappings.rings.empty()) store->run_dir = process.mappings.rings.front().run_dir();
  return store;
}

void check_places(Findings& findings, const ProcessFacts& process, const StoreLocation& store, bool recording) {
  if (recording) {  // so the rights were there
    check_file_system(findings, Directory::kAudit, store.audit_dir);
    check_file_system(findings, Directory::kRun, store.run_dir);
    return;
  }
  const std::string root = process.has_own_view ? "/proc/" + std::to_string(process.pid) + "/root" : std::string();
  if (!process.mappings.library.empty()) check_recorder(findings, process.mappings.library, process.who, root);
  const RecorderFile recorder = RecorderFile::beside(process.mappings.library, root);
  const auto writer = [&](const std::string& path) { return writer_of(recorder, process.who, path, root); };
  check_directory(findings, Directory::kAudit, store.audit_dir, writer(store.audit_dir), root);
  check_directory(findings, Directory::kRun, store.run_dir, writer(store.run_dir), root);
  if (process.file_size_limit) check_file_size_limit(findings, *process.file_size_limit, "Its limit of file size");
}

}  // namespace

Result<Diagnosis> diagnose_process(pid_t pid, const StoreOptions& options) {
  const auto process = facts_of_process(pid);
  if (!process) return process.error();
  const auto store = store_of(*process, options);
  if (!store) return store.error();
  Diagnosis diagnosis{
      "process", {}, "process " + std::to_string(pid) + ", " + process->program, "It will be recorded.", {}};
  Findings& findings = diagnosis.findings;

  const bool loaded = !process->mappings.library.empty();
  bool recording = false;
  check_library(findings, *process);
  if (loaded) {
    recording = check_rings(findings, *process) && !process->mappings.rings.empty();
    if (process->mappings.rings.empty()) check_waiting(findings, *process);
    check_program_contents(findings, "/proc/" + std::to_string(pid) + "/exe", false);
  } else {
    check_program_file(findings, process->program, {});
  }
  check_secure_execution(findings, *process);
  check_io_urings(findings, *process);
  check_profile(findings, *process, recording);
  check_places(findings, *process, *store, recording);
  if (recording) diagnosis.success = "It is being recorded.";
  return diagnosis;
}

}  // namespace sidrec::cli
