// sidrec ls: the sessions of the store, oldest first.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/store_location.h"
#include "recorder/cli/verbs.h"
#include "recorder/trail/session_summary.h"

namespace sidrec::cli {
namespace {

struct LsOptions {
  StoreOptions store;
  bool json = false;
};

constexpr size_t kColumns = 8;
using Row = std::array<std::string, kColumns>;

std::string duration_text(uint64_t ms) {
  char text[64];
  const auto seconds = static_cast<unsigned long long>(ms / 1000);
  if (seconds < 60) {
    std::snprintf(text, sizeof text, "%llu.%03us", seconds, static_cast<unsigned>(ms % 1000));
  } else if (seconds < 3600) {
    std::snprintf(text, sizeof text, "%llum%02llus", seconds / 60, seconds % 60);
  } else {
    std::snprintf(text, sizeof text, "%lluh%02llum%02llus", seconds / 3600, seconds / 60 % 60, seconds % 60);
  }
  return text;
}

std::string bytes_text(uint64_t bytes) {
  if (bytes < 10'000) return std::to_string(bytes);
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 999.5 && unit < 4; ++unit) value /= 1024;
  char text[64];
  std::snprintf(text, sizeof text, value < 9.95 ? "%.1f%c" : "%.0f%c", value, " KMGT"[unit]);
  return text;
}

Row row_of(const SessionSummary& s) {
  // "2026-11-23T22:30:00.000098Z" without its microseconds
  const std::string started = s.started.size() < 19 ? s.started : s.started.substr(0, 19) + "Z";
  return {printable(s.sid),
          printable(started),
          duration_text(s.duration_ms),
          std::to_string(s.totals.connections),
          bytes_text(s.totals.bytes_in),
          bytes_text(s.totals.bytes_out),
          std::string(word_of(s.state)) + (s.totals.gaps == 0 ? "" : ", " + std::to_string(s.totals.gaps) + " gaps"),
          printable(s.session)};
}

void put_table(Output& output, const std::vector<Row>& rows) {
  std::array<size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < kColumns; ++i) {
      const std::string padding(widths[i] - columns(row[i]), ' ');
      const bool number = i >= 2 && i <= 5;
      line += number ? padding + row[i] : i + 1 < kColumns ? row[i] + padding : row[i];
      line += i + 1 < kColumns ? "  " : "\n";
    }
    output.put(line);
  }
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
  std::vector<Row> rows = {{"SID", "STARTED", "DURATION", "CONNS", "IN", "OUT", "STATE", "SESSION"}};
  int code = kOk;
  for (const TrailFile& trail : *trails) {
    const auto summary = summarize(trail);
    if (!summary) {
      // A trail whose first line is being written is not there yet.
      if (summary.error().code != EAGAIN) code = fail(summary.error().message);
    } else if (options.json) {
      put_json(output, *summary, trail);
    } else {
      rows.push_back(row_of(*summary));
    }
  }
  if (!options.json) {
    if (rows.size() == 1)
      complain("no sessions in " + store->audit_dir + " yet");
    else
      put_table(output, rows);
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
