// sidrec ls: the sessions of the store, oldest first.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/store_location.h"
#include "recorder/cli/table.h"
#include "recorder/cli/verbs.h"
#include "recorder/trail/session_summary.h"

namespace sidrec::cli {
namespace {

struct LsOptions {
  StoreOptions store;
  bool json = false;
};

Table::Row row_of(const SessionSummary& s) {
  return {printable(s.sid),
          start_text(s.started),
          duration_text(s.duration_ms),
          std::to_string(s.totals.connections),
          bytes_text(s.totals.bytes_in),
          bytes_text(s.totals.bytes_out),
          std::string(word_of(s.state)) + (s.totals.gaps == 0 ? "" : ", " + std::to_string(s.totals.gaps) + " gaps"),
          printable(s.session)};
}

void put_json(Output& output, const SessionSummary& s, const TrailFile& trail) {
  const nlohmann::ordered_json line = {
      {"sid", s.sid},
      {"session", s.session},
      {"started", s.started},
      {"duration_ms", s.duration_ms},
      {"connections", s.totals.connections},
      {"bytes_in", s.totals.bytes_in},
      {"bytes_out", s.totals.bytes_out},
      {"records", s.totals.records},
      {"gaps", s.totals.gaps},
      {"state", word_of(s.state)},
      {"file", trail.path()},
  };
  // Everything but the path came out of JSON; a path that is not UTF-8 must not throw.
  output.put(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

int list(const LsOptions& options) {
  const auto store = locate_store(options.store);
  if (!store) return fail(store.error().message);
  const auto trails = trails_of_store(store->audit_dir);
  if (!trails) return fail(trails.error().message + ": read trails as root, or as a member of their group");

  Output output;
  Table table(
      {{"SID"}, {"STARTED"}, {"DURATION", true}, {"CONNS", true}, {"IN", true}, {"OUT", true}, {"STATE"}, {"SESSION"}});
  int code = kOk;
  for (const TrailFile& trail : *trails) {
    const auto summary = summarize(trail);
    if (!summary) {
      // A trail whose first line is being written is not there yet.
      if (summary.error().code != EAGAIN) code = fail(summary.error().message);
    } else if (options.json) {
      put_json(output, *summary, trail);
    } else {
      table.add(row_of(*summary));
    }
  }
  if (!options.json) {
    if (table.empty())
      complain("no sessions in " + store->audit_dir + " yet");
    else
      table.put(output);
  }
  return std::max(code, output.finish());
}

}  // namespace

Verb add_ls(CLI::App& app) {
  auto options = std::make_shared<LsOptions>();
  CLI::App* verb = app.add_subcommand("ls", "List the recorded sessions, oldest first");
  add_store_options(*verb, options->store);
  verb->add_flag("--json", options->json, "One JSON object a session, with exact figures");
  verb->footer(
      "\nA session is \"live\" while a master writes it, \"ended\" once it has its session.end, else \"unfinished\".\n"
      "\nExamples:\n"
      "  sidrec ls\n"
      "  sidrec ls --audit-dir /var/log/sidrec\n"
      "  sidrec ls --json | jq -r 'select(.gaps > 0) | .file'\n" +
      std::string(kExitCodes));
  return {verb, [options] { return list(*options); }};
}

}  // namespace sidrec::cli
