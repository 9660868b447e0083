// sidrec recover: what was left when recorders and hosts have died goes into its trails. The recorder's program does
// it, with the rights that are its own.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/library.h"
#include "recorder/cli/store_location.h"
#include "recorder/cli/verbs.h"

namespace sidrec::cli {
namespace {

int recover(const StoreOptions& options) {
  const auto store = locate_store(options);
  if (!store) return fail(store.error().message);
  const auto library = find_library();
  if (!library) return fail(library.error().message);
  const std::string program = library->substr(0, library->rfind('/') + 1) + std::string(kRecorder);
  execl(program.c_str(), program.c_str(), "--recover", store->run_dir.c_str(), store->audit_dir.c_str(),
        store->config.empty() ? nullptr : store->config.c_str(), nullptr);
  return fail("cannot run " + program + ": " + std::strerror(errno));
}

}  // namespace

Verb add_recover(CLI::App& app) {
  auto options = std::make_shared<StoreOptions>();
  CLI::App* verb = app.add_subcommand("recover", "Finish what recorders that have died have left");
  add_store_options(*verb, *options);
  verb->add_option("--run-dir", options->run_dir, "Sockets and rings (default: SIDREC_RUN_DIR, else as for run)");
  verb->footer(
      "\nRings whose host and recorder are both gone are written into their trails; a ring whose host lives gets a\n"
      "recorder again; trails that nobody can go on with get their missing closes and a session.end, why\n"
      "\"recovered\". What is being recorded is let alone: it may run at any time. Otherwise this is done when the\n"
      "next connection of that SID comes, or the host's next byte.\n"
      "\nExamples:\n"
      "  sidrec recover\n"
      "  sidrec recover --run-dir /dev/shm/sidrec --audit-dir ./trails\n"
      "\nExit codes: 0 done, 1 something could not be finished: it is named, and nothing is lost; 2 wrong usage.");
  return {verb, [options] { return recover(*options); }};
}

}  // namespace sidrec::cli
