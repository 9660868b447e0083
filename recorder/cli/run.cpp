// sidrec run: a command with the recording library preloaded.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/library.h"
#include "recorder/cli/preload_check.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/store_location.h"
#include "recorder/cli/verbs.h"

namespace sidrec::cli {
namespace {

struct RunOptions {
  StoreOptions store;
  std::string sid;
};

void set_environment(const StoreLocation& store, const std::string& sid, const std::string& library) {
  const auto set = [](const char* name, const std::string& value) {
    if (!value.empty()) setenv(name, value.c_str(), 1);
  };
  set("SIDREC_SID", sid);
  set("SIDREC_AUDIT_DIR", store.audit_dir);
  set("SIDREC_RUN_DIR", store.run_dir);
  set("SIDREC_CONFIG", store.config);
  const char* before = std::getenv("LD_PRELOAD");
  set("LD_PRELOAD", before == nullptr || *before == '\0' ? library : library + ":" + before);
}

int run(const RunOptions& options, const std::vector<std::string>& command) {
  if (command.empty()) return fail("run needs a command: sidrec run [options] -- CMD…", kUsage);
  const auto store = locate_store(options.store);
  if (!store) return fail(store.error().message);
  const auto library = find_library();
  if (!library) return fail(library.error().message);
  const std::string program = find_program(command[0]);
  if (program.empty()) {
    return fail(printable(command[0]) + ": no such program: check its name and PATH", kNotFound);
  }
  if (const auto refused = check_program(program).refusal) return fail(refused->sentence(), refused->code);

  set_environment(*store, options.sid, *library);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  const int code = errno;
  return fail("cannot run " + program + ": " + std::strerror(code), code == ENOENT ? kNotFound : kCannotRun);
}

}  // namespace

Verb add_run(CLI::App& app, const std::vector<std::string>& command) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* verb = app.add_subcommand("run", "Run a command whose client connections are recorded");
  verb->add_option("--sid", options->sid,
                   "The session's id: text and {client_ip} {client_port} {server_ip} {server_port} {program} "
                   "{env:NAME} (default: SIDREC_SID, else {client_ip})");
  add_store_options(*verb, options->store);
  verb->add_option("--run-dir", options->store.run_dir, "Sockets and rings, on a tmpfs (default: SIDREC_RUN_DIR)");
  verb->footer(
      "\nWhat stands behind \"--\" is the command: sidrec run [OPTIONS] -- CMD…\n"
      "It only sets the environment and becomes CMD. A program that LD_PRELOAD cannot reach is refused: a static\n"
      "one, one for another architecture, one that is set-user-id, set-group-id or has file capabilities.\n"
      "\nExamples:\n"
      "  sidrec run -- socat TCP-LISTEN:8080,fork,reuseaddr TCP:127.0.0.1:6379\n"
      "  sidrec run --sid 'ticket-4711@{client_ip}' -- haproxy -f haproxy.cfg\n"
      "  sidrec run --audit-dir ./trails --run-dir /dev/shm/sidrec -- nginx -g 'daemon off;'\n"
      "\nExit codes: those of CMD; 1 failed, 2 wrong usage, 126 CMD cannot be recorded or executed, 127 no such CMD.");
  return {verb, [options, &command] { return run(*options, command); }};
}

}  // namespace sidrec::cli
