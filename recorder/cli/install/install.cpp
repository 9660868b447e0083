// sidrec install: whoever's services they are, they are recorded from their next start, by recorders with a user of
// their own.
#include <unistd.h>

#include <iostream>
#include <memory>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/install/config_check.h"
#include "recorder/cli/install/drop_in.h"
#include "recorder/cli/install/file_step.h"
#include "recorder/cli/install/nginx_environment.h"
#include "recorder/cli/install/places.h"
#include "recorder/cli/verbs.h"

namespace sidrec::cli {
namespace {

struct InstallOptions {
  std::vector<std::string> names;
  std::string sid;
  StoreOptions store;
  bool dry_run = false;
};

struct Plan {
  std::vector<std::string> units;
  Steps steps;
};

Result<void> add_service(Plan& plan, const std::string& name, const std::string& sid, const Places& places) {
  const auto unit = unit_name(name);
  if (!unit) return unit.error();
  const auto drop_in = drop_in_for(*unit, sid, places);
  if (!drop_in) return drop_in.error();
  if (auto passes = check_configuration(drop_in->service); !passes) return passes.error();
  plan.units.push_back(drop_in->unit);
  plan.steps.push_back(write_our_file(drop_in->path, drop_in->text));
  if (!is_nginx(drop_in->service)) return {};
  auto kept = keep_in_nginx(drop_in->service, drop_in->variables);
  if (!kept) return kept.error();
  if (*kept) plan.steps.push_back(std::move(*kept));
  return {};
}

Result<Plan> plan_of(const InstallOptions& options) {
  const auto places = places_of_installation(options.store);
  if (!places) return places.error();
  Plan plan{{}, steps_to_prepare(*places)};
  for (const std::string& name : options.names) {
    if (auto added = add_service(plan, name, options.sid, *places); !added) return added.error();
  }
  return plan;
}

// What is written now must do what it was written for.
Result<void> verdict_on(const std::string& unit) {
  const auto loaded = Unit::load(unit, standard_unit_dirs());
  if (!loaded) return loaded.error();
  const auto service = service_of(*loaded, {});
  if (!service) return service.error();
  if (auto good = can_be_recorded(*service, true); !good) return good;
  return check_configuration(*service);
}

Result<void> verdict_on_all(const std::vector<std::string>& units) {
  for (const std::string& unit : units) {
    if (auto good = verdict_on(unit); !good) return good;
  }
  return reload_service_manager();
}

int install(const InstallOptions& options) {
  if (options.names.empty() && !options.sid.empty()) {
    return fail("--sid is a service's: name it (sidrec install --sid TEMPLATE UNIT)", kUsage);
  }
  if (!options.dry_run && geteuid() != 0) {
    return fail("only root can install: run it as root, or see with --dry-run what it would do");
  }
  const auto plan = plan_of(options);
  if (!plan) return fail(plan.error().message + "; nothing was changed");
  const auto steps = pending(plan->steps);
  if (!steps) return fail(steps.error().message + "; nothing was changed");
  if (steps->empty()) {
    std::cout << "Everything is there already.\n";
    return kOk;
  }
  if (options.dry_run) {
    show(*steps);
    return kOk;
  }
  const auto done = carry_out(*steps, [&] { return verdict_on_all(plan->units); });
  if (!done) return fail(done.error().message);
  for (const std::string& unit : plan->units) {
    std::cout << unit << " is recorded from its next start: systemctl restart " << unit << ", when it suits.\n";
  }
  return kOk;
}

}  // namespace

Verb add_install(CLI::App& app) {
  auto options = std::make_shared<InstallOptions>();
  CLI::App* verb = app.add_subcommand("install", "Let services be recorded, by recorders with a user of their own");
  verb->add_option("UNIT", options->names,
                   "Services: ssh, haproxy, nginx, redis-server.service …; none: the rest alone");
  verb->add_option("--sid", options->sid,
                   "The session's id, for these services (default: as it was, else {user}@{client_ip} for sshd, "
                   "else the settings file's, else {client_ip})");
  verb->add_option("--audit-dir", options->store.audit_dir, "Where the trails will be (default: /var/log/sidrec)");
  verb->add_option("--run-dir", options->store.run_dir, "Sockets and rings, on a tmpfs (default: /run/sidrec)");
  verb->add_flag("--dry-run", options->dry_run, "Say what would be done, and the files' contents, and do nothing");
  verb->footer(
      "\nMakes, where they are not there: the user and group sidrec; the audit directory, which group adm may read; "
      "the\n"
      "run directory and its tmpfiles.d entry; /etc/sidrec.json, the settings; sidrec-recover.service, which ends at "
      "boot\n"
      "what a power cut has left (\"sidrec recover\"); and gives the recorder to its user. For\n"
      "each service a drop-in, /etc/systemd/system/UNIT.d/50-sidrec.conf, with what its unit needs to be recorded; "
      "for\n"
      "nginx the variables it must keep, in /etc/nginx/modules-enabled/00-sidrec.conf.\n"
      "\nThe service's configuration is checked first (sshd -t, haproxy -c, nginx -t), and what was written at the "
      "end,\n"
      "as by \"sidrec doctor\": if it would not do, all is taken back. No service is restarted.\n"
      "\nExamples:\n"
      "  sidrec install --dry-run ssh\n"
      "  sidrec install ssh haproxy\n"
      "  sidrec install --sid 'db@{client_ip}' pgbouncer\n"
      "  sidrec uninstall haproxy\n"
      "\nExit codes: 0 done, 1 failed and nothing was changed, 2 wrong usage.");
  return {verb, [options] { return install(*options); }};
}

}  // namespace sidrec::cli
