#include "recorder/cli/command_line.h"

#include <algorithm>
#include <exception>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/verbs.h"

namespace sidrec::cli {
namespace {

// What stands behind "--" of these is another program's: taken away before any option is looked at.
std::vector<std::string> split_command(std::vector<std::string>& arguments) {
  if (arguments.empty() || (arguments.front() != "run" && arguments.front() != "doctor")) return {};
  const auto mark = std::find(arguments.begin(), arguments.end(), "--");
  if (mark == arguments.end()) return {};
  std::vector<std::string> command(mark + 1, arguments.end());
  arguments.erase(mark, arguments.end());
  return command;
}

}  // namespace

int run_command_line(std::vector<std::string> arguments) try {
  const std::vector<std::string> command = split_command(arguments);

  CLI::App app("sidrec records who did what through a stock proxy, without changing it.", "sidrec");
  app.set_version_flag("--version", "sidrec " SIDREC_VERSION);
  app.require_subcommand(1);
  app.footer(
      "\nExamples:\n"
      "  sidrec run -- socat TCP-LISTEN:8080,fork TCP:127.0.0.1:6379\n"
      "  sidrec doctor haproxy\n"
      "  sidrec ls\n"
      "  sidrec tail -f\n"
      "  sidrec cat 127.0.0.1 --conn c7f3a --dir in\n"
      "  sidrec play alice@203.0.113.7\n"
      "  sidrec verify --all\n"
      "\n\"sidrec VERB --help\" says more." +
      std::string(kExitCodes));
  const Verb verbs[] = {add_run(app, command), add_ls(app),      add_tail(app),
                        add_cat(app),          add_play(app),    add_export(app),
                        add_verify(app),       add_prune(app),   add_doctor(app, command),
                        add_status(app),       add_recover(app), add_install(app),
                        add_uninstall(app)};

  try {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return fail(std::string(error.what()) + " (see \"sidrec --help\")", kUsage);
  }
  for (const Verb& verb : verbs) {
    if (verb.app->parsed()) return verb.run();
  }
  return kUsage;
} catch (const std::exception& error) {
  // A library's: bad_alloc, a file system that answers nonsense.
  return fail(error.what());
}

}  // namespace sidrec::cli
