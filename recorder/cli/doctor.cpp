// sidrec doctor: can this be recorded, is it being recorded, and if not, what is to be done?
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "recorder/cli/diagnosis.h"
#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/preload_check.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/verbs.h"

namespace sidrec::cli {
namespace {

struct DoctorOptions {
  StoreOptions store;
  std::string target;
  pid_t pid = 0;
  std::vector<std::string> unit_dirs;
  bool json = false;

  bool has_target() const { return !target.empty(); }
  bool has_pid() const { return pid != 0; }
};

constexpr std::string_view kServiceSuffix = ".service";

std::optional<pid_t> pid_of(const std::string& text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  const bool whole = error == std::errc() && end == text.data() + text.size() && pid > 0;
  return whole ? std::optional(pid) : std::nullopt;
}

Result<Diagnosis> diagnose_name(const std::string& name, const std::vector<std::string>& arguments,
                                const DoctorOptions& options) {
  if (name.ends_with(kServiceSuffix)) return diagnose_service(name, options.unit_dirs, options.store);
  const std::string program = find_program(name);
  if (!program.empty()) return diagnose_program(program, arguments, options.store);
  if (name.find('/') == std::string::npos) {
    auto service = diagnose_service(name + std::string(kServiceSuffix), options.unit_dirs, options.store);
    if (service || service.error().code != ENOENT) return service;
  }
  return Error{printable(name) + ": no such program, process or service: check its name and PATH", ENOENT};
}

Result<Diagnosis> diagnose(const DoctorOptions& options, const std::vector<std::string>& command) {
  if (options.has_pid()) return diagnose_process(options.pid, options.store);
  if (!command.empty()) {
    return diagnose_name(command[0], {command.begin() + 1, command.end()}, options);
  }
  if (const auto pid = pid_of(options.target)) return diagnose_process(*pid, options.store);
  return diagnose_name(options.target, {}, options);
}

int doctor(const DoctorOptions& options, const std::vector<std::string>& command) {
  if (int{options.has_pid()} + int{options.has_target()} + int{!command.empty()} != 1) {
    return fail("doctor needs one program, process or service: sidrec doctor CMD|PID|SERVICE", kUsage);
  }
  DoctorOptions chosen = options;
  if (chosen.unit_dirs.empty()) chosen.unit_dirs = standard_unit_dirs();
  auto diagnosis = diagnose(chosen, command);
  if (!diagnosis) return fail(diagnosis.error().message);
  diagnosis->target = options.has_pid() ? std::to_string(options.pid) : command.empty() ? options.target : command[0];

  Output output;
  output.put(options.json ? json(*diagnosis) : readable(*diagnosis, Output::wants_colour()));
  const int written = output.finish();
  return diagnosis->findings.problems() > 0 ? static_cast<int>(kFailed) : written;
}

}  // namespace

Verb add_doctor(CLI::App& app, const std::vector<std::string>& command) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* verb = app.add_subcommand("doctor", "Say whether a program, process or service can be recorded");
  verb->add_option("target", options->target, "A program, a process's number, or a systemd service");
  verb->add_option("--pid", options->pid, "The process of this number")->check(CLI::PositiveNumber);
  add_store_options(*verb, options->store);
  verb->add_option("--run-dir", options->store.run_dir, "Sockets and rings, on a tmpfs (default: SIDREC_RUN_DIR)");
  verb->add_option("--unit-dir", options->unit_dirs,
                   "Where unit files are, instead of systemd's directories; may be given more than once")
      ->allow_extra_args(false);
  verb->add_flag("--json", options->json, "One JSON object");
  verb->footer(
      "\nA name is looked up in PATH, then among the services; NAME.service means the service. What stands behind\n"
      "\"--\" is a command with its arguments, where these matter. Each finding says what was found, why it matters\n"
      "and what to do. Run it as root to look into other users' processes.\n"
      "\nExamples:\n"
      "  sidrec doctor haproxy\n"
      "  sidrec doctor 4711\n"
      "  sidrec doctor redis-server.service\n"
      "  sidrec doctor -- squid -N -f squid.conf\n"
      "  sidrec doctor --json haproxy.service | jq -r '.findings[] | select(.severity == \"problem\") | .remedy'\n"
      "\nExit codes: 0 recording will work, or works now; 1 it does not, or the target cannot be looked at; 2 wrong\n"
      "usage.");
  return {verb, [options, &command] { return doctor(*options, command); }};
}

}  // namespace sidrec::cli
