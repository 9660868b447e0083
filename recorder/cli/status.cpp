// sidrec status: what the masters at work say of themselves.
#include <memory>
#include <nlohmann/json.hpp>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/install/program.h"
#include "recorder/cli/library.h"
#include "recorder/cli/output.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/recorder_file.h"
#include "recorder/cli/store_location.h"
#include "recorder/cli/table.h"
#include "recorder/cli/verbs.h"
#include "recorder/trail/reader.h"

namespace sidrec::cli {
namespace {

using nlohmann::json;

struct StatusOptions {
  StoreOptions store;
  std::string sid;
  bool json = false;
  bool prometheus = false;
};

struct Statuses {
  std::vector<json> masters;
  bool complete = true;  // every master has answered
};

// The recorder's program asks: masters answer their own user only.
Result<Statuses> ask(const StoreOptions& options) {
  const auto store = locate_store(options);
  if (!store) return store.error();
  const auto library = find_library();
  if (!library) return library.error();
  const auto outcome = run_program({RecorderFile::beside(*library).path, "--status", store->run_dir});
  if (!outcome) return outcome.error();
  Statuses statuses;
  std::istringstream lines(outcome->output);
  for (std::string line; std::getline(lines, line);) {
    auto parsed = json::parse(line, nullptr, false);
    if (parsed.is_object()) {
      statuses.masters.push_back(std::move(parsed));
    } else {
      statuses.complete = false;
      std::cerr << line << "\n";
    }
  }
  if (outcome->code > kFailed) return Error{"masters answer root, and the user whose they are: run it as root"};
  return statuses;
}

std::string number_text(const json& of, const char* key) { return std::to_string(number_at(of, key)); }

std::string who(const json& of) {
  return printable(string_at(of, "program")) + " (" + number_text(of, "pid") + "), " + printable(string_at(of, "rec"));
}

void put_table(Output& output, const std::vector<json>& masters) {
  Table table({{"SID"},
               {"EPOCH", true},
               {"SLAVES", true},
               {"CONNS", true},
               {"IN", true},
               {"OUT", true},
               {"RECORDS", true},
               {"GAPS", true},
               {"QUEUE", true},
               {"WAITS", true},
               {"LAG", true},
               {"STATE"},
               {"MASTER"}});
  for (const json& of : masters) {
    table.add({printable(string_at(of, "sid")), number_text(of, "epoch"), number_text(of, "slaves"),
               number_text(of, "connections"), bytes_text(number_at(of, "bytes_in")),
               bytes_text(number_at(of, "bytes_out")), number_text(of, "records"), number_text(of, "gaps"),
               bytes_text(number_at(of, "queue_bytes")) + "/" + bytes_text(number_at(of, "queue_bound")),
               number_text(of, "waits"), number_text(of, "lag_ms") + " ms", printable(string_at(of, "state")),
               printable(string_at(of, "program")) + " (" + number_text(of, "pid") + ")"});
  }
  table.put(output);
}

void put_slaves(Output& output, const json& of) {
  if (!of.contains("slave")) return;
  for (const json& slave : of["slave"]) {
    output.put("  slave " + who(slave) + ": " + bytes_text(number_at(slave, "queued")) + " in the queue" +
               (slave.value("waits", false) ? ", waits" : "") + "\n");
  }
}

// The text format of Prometheus, version 0.0.4: labels escape \, " and the end of a line.
std::string label_text(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"' || c == '\n') text += '\\';
    text += c == '\n' ? 'n' : c;
  }
  return text;
}

void put_metric(Output& output, const std::vector<json>& masters, const std::string& name, const char* type,
                const char* help, const char* key, const std::string& more_labels = {}, double unit = 1) {
  if (*help != '\0') output.put("# HELP sidrec_" + name + " " + help + "\n# TYPE sidrec_" + name + " " + type + "\n");
  for (const json& of : masters) {
    if (!of.contains(key)) continue;
    const json value = unit == 1 ? json(number_at(of, key)) : json(static_cast<double>(number_at(of, key)) * unit);
    output.put("sidrec_" + name + "{sid=\"" + label_text(string_at(of, "sid")) + "\"" + more_labels + "} " +
               value.dump() + "\n");
  }
}

void put_prometheus(Output& output, const std::vector<json>& masters) {
  output.put("# HELP sidrec_sessions Sessions with a master at work.\n# TYPE sidrec_sessions gauge\nsidrec_sessions " +
             std::to_string(masters.size()) + "\n");
  const auto put = [&](auto... rest) { put_metric(output, masters, rest...); };
  put("epoch", "gauge", "Which master of the session this is, counted from 1.", "epoch");
  put("slaves", "gauge", "Slaves at work.", "slaves");
  put("connections_total", "counter", "Client connections of the session.", "connections");
  put("records_total", "counter", "Records in the trail.", "records");
  put("gaps_total", "counter", "Gaps in the trail.", "gaps");
  put("bytes_total", "counter", "Bytes of clients, by direction.", "bytes_in", ",dir=\"in\"");
  put("bytes_total", "counter", "", "bytes_out", ",dir=\"out\"");
  put("queue_bytes", "gauge", "Occupied of the waiting queue.", "queue_bytes");
  put("queue_bound_bytes", "gauge", "Bound of the waiting queue.", "queue_bound");
  put("passes_total", "counter", "Requests answered with PASS.", "passes");
  put("waits_total", "counter", "Requests answered with WAIT.", "waits");
  put("lag_seconds", "gauge", "Age of the oldest record not yet written.", "lag_ms", "", 0.001);
}

int status(const StatusOptions& options) {
  auto statuses = ask(options.store);
  if (!statuses) return fail(statuses.error().message);
  auto& masters = statuses->masters;
  if (!options.sid.empty()) {
    std::erase_if(masters, [&](const json& of) { return string_at(of, "sid") != options.sid; });
  }
  std::sort(masters.begin(), masters.end(),
            [](const json& a, const json& b) { return string_at(a, "sid") < string_at(b, "sid"); });
  Output output;
  if (options.prometheus) {
    put_prometheus(output, masters);
  } else if (options.json) {
    for (const json& of : masters) output.put(of.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  } else if (masters.empty()) {
    complain(options.sid.empty() ? "nobody is being recorded now"
                                 : "no session of " + printable(options.sid) + " is being recorded now");
  } else {
    put_table(output, masters);
    if (!options.sid.empty()) put_slaves(output, masters[0]);
  }
  const int written = output.finish();
  return statuses->complete ? written : kFailed;
}

}  // namespace

Verb add_status(CLI::App& app) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* verb = app.add_subcommand("status", "Ask the masters at work how they are");
  verb->add_option("SID", options->sid, "This session alone, with its slaves");
  add_store_options(*verb, options->store);
  verb->add_option("--run-dir", options->store.run_dir, "Sockets and rings (default: SIDREC_RUN_DIR, else as for run)");
  auto* as_json = verb->add_flag("--json", options->json, "One JSON object a session (docs/link-protocol.md)");
  verb->add_flag("--prometheus", options->prometheus, "For node_exporter's textfile collector")->excludes(as_json);
  verb->footer(
      "\nEach live session is asked at its master: role and epoch, slaves, what waits in its queue, and how far the\n"
      "trail is behind (LAG). WAITS counts slaves that were told to wait for room in the queue.\n"
      "\nExamples:\n"
      "  sidrec status\n"
      "  sidrec status alice@203.0.113.7\n"
      "  sidrec status --json | jq -r 'select(.lag_ms > 1000) | .sid'\n"
      "  sidrec status --prometheus >/var/lib/prometheus/node-exporter/sidrec.prom\n" +
      std::string(kExitCodes));
  return {verb, [options] { return status(*options); }};
}

}  // namespace sidrec::cli
