// sidrec uninstall: nothing stays of an installation but the trails, and whose they are.
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/install/config_check.h"
#include "recorder/cli/install/drop_in.h"
#include "recorder/cli/install/file_step.h"
#include "recorder/cli/install/nginx_environment.h"
#include "recorder/cli/install/places.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/verbs.h"

namespace sidrec::cli {
namespace {

namespace fs = std::filesystem;

struct UninstallOptions {
  std::vector<std::string> names;
  bool dry_run = false;
};

Result<void> carry_out_or_show(const Steps& all, bool dry_run, const std::function<Result<void>()>& at_last) {
  const auto steps = pending(all);
  if (!steps) return steps.error();
  if (steps->empty()) return {};
  if (!dry_run) return carry_out(*steps, at_last);
  show(*steps);
  return {};
}

Result<Steps> steps_for(const std::vector<std::string>& names) {
  Steps steps;
  for (const std::string& name : names) {
    const auto unit = unit_name(name);
    if (!unit) return unit.error();
    const auto loaded = Unit::load(*unit, standard_unit_dirs());
    const std::string path = drop_in_path(loaded ? loaded->name() : *unit);
    if (!is_written_by_us(path)) {
      return Error{printable(*unit) + " is not installed: there is no " + path + " of \"sidrec install\""};
    }
    steps.push_back(remove_our_file_and_folder(path));
    const auto service = loaded ? service_of(*loaded, {}) : Result<Service>(loaded.error());
    if (service && is_nginx(*service)) steps.push_back(forget_in_nginx());
  }
  return steps;
}

Steps steps_for_all_services() {
  Steps steps;
  for (const std::string& path : drop_ins_of_installation()) steps.push_back(remove_our_file_and_folder(path));
  steps.push_back(forget_in_nginx());
  return steps;
}

int uninstall_services(const UninstallOptions& options) {
  const auto steps = steps_for(options.names);
  if (!steps) return fail(steps.error().message);
  const auto done = carry_out_or_show(*steps, options.dry_run, reload_service_manager);
  if (!done) return fail(done.error().message);
  if (!options.dry_run) std::cout << "What runs is recorded until it is restarted.\n";
  return kOk;
}

int uninstall_all(const UninstallOptions& options) {
  const auto places = places_of_installation({});
  if (!places) return fail(places.error().message);
  auto done = carry_out_or_show(steps_for_all_services(), options.dry_run, reload_service_manager);
  if (!done) return fail(done.error().message);
  if (const std::string processes = recorded_processes(*places); !processes.empty() && !options.dry_run) {
    return fail("these are still recorded, so the recorder, its user and its directories stay: " + processes +
                "; restart their services, then run \"sidrec uninstall\" again");
  }
  if (!options.dry_run) {
    if (auto ended = end_recorders(*places); !ended) return fail(ended.error().message);
  }
  const std::string stays = what_stays(*places);
  done = carry_out_or_show(steps_to_clear(*places), options.dry_run, [] { return Result<void>(); });
  if (!done) return fail(done.error().message);
  std::cout << stays;
  return kOk;
}

int uninstall(const UninstallOptions& options) {
  if (!options.dry_run && geteuid() != 0) {
    return fail("only root can uninstall: run it as root, or see with --dry-run what it would do");
  }
  return options.names.empty() ? uninstall_all(options) : uninstall_services(options);
}

}  // namespace

Verb add_uninstall(CLI::App& app) {
  auto options = std::make_shared<UninstallOptions>();
  CLI::App* verb = app.add_subcommand("uninstall", "Take back what install has done, but for the trails");
  verb->add_option("UNIT", options->names, "These services only; none: everything");
  verb->add_flag("--dry-run", options->dry_run, "Say what would be done, and do nothing");
  verb->footer(
      "\nTrails stay, and with them the user whose they are; so does a settings file that was changed by hand, and "
      "what\n"
      "no recorder has written to a trail yet. No service is restarted: what runs is recorded until then, and keeps "
      "the\n"
      "recorder, its user and its directories.\n"
      "\nExamples:\n"
      "  sidrec uninstall haproxy\n"
      "  sidrec uninstall\n"
      "\nExit codes: 0 done, 1 failed, or something is still recorded, 2 wrong usage.");
  return {verb, [options] { return uninstall(*options); }};
}

}  // namespace sidrec::cli
