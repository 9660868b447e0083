// sidrec cat: the raw bytes of one direction of one connection.
#include <memory>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/trail_choice.h"
#include "recorder/cli/verbs.h"
#include "recorder/trail/line_facts.h"
#include "recorder/trail/reassembly.h"

namespace sidrec::cli {
namespace {

struct CatOptions {
  TrailChoice trail;
  std::string conn;
  std::string chan;
  std::string dir;
};

int put_bytes(const CatOptions& options) {
  const auto path = path_of(options.trail);
  if (!path) return fail(path.error().message);
  auto reader = TrailReader::open(*path);
  if (!reader) return fail(reader.error().message);

  Output output;
  bool read_by_somebody = true;
  const auto found = reassemble(*reader, options.conn, options.chan, direction_of(options.dir).value_or(Direction::kIn),
                                [&](std::string_view bytes) { return read_by_somebody = output.put(bytes); });
  const int written = output.finish();
  if (!found) return fail(found.error().message);
  const std::string name =
      printable(options.conn) + (options.chan.empty() ? std::string() : " channel " + printable(options.chan));
  const std::string what = *path + ": " + name + " " + options.dir + ": ";
  if (!found->hole.empty()) return fail(what + found->hole, kIncomplete);
  if (!found->connection) return fail(*path + ": no connection " + name + ": see \"sidrec tail\"");
  if (!found->closed && read_by_somebody) complain(what + "is not closed yet, these are its bytes so far");
  return written;
}

}  // namespace

Verb add_cat(CLI::App& app) {
  auto options = std::make_shared<CatOptions>();
  CLI::App* verb = app.add_subcommand("cat", "Write the raw bytes of a connection, as they passed");
  add_trail_choice(*verb, options->trail);
  verb->add_option("--conn", options->conn, "The connection, as \"conn\" names it in the trail")->required();
  verb->add_option("--chan", options->chan,
                   "The channel within it, as \"chan\" names it (default: the connection itself)");
  verb->add_option("--dir", options->dir, "in: from the client, out: to it, err: a command's stderr")
      ->required()
      ->check(CLI::IsMember({"in", "out", "err"}));
  verb->footer(
      "\nThe bytes up to the first hole are written; the hole is then named on stderr and the exit code is 3.\n"
      "\nExamples:\n"
      "  sidrec cat alice@203.0.113.7 --conn c7f3a --dir in\n"
      "  sidrec cat alice@203.0.113.7 --conn c7f3a --chan 1005600001 --dir out    (an ssh terminal's screen)\n"
      "  sidrec cat ./20261123T223000Z-01938a….jsonl --conn c7f3a --dir out > answer.bin\n" +
      std::string(kExitCodes));
  return {verb, [options] { return put_bytes(*options); }};
}

}  // namespace sidrec::cli
