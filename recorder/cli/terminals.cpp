#include "recorder/cli/terminals.h"

#include <algorithm>
#include <map>

#include "recorder/base/clock.h"
#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/table.h"
#include "recorder/trail/line.h"
#include "recorder/trail/line_facts.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/timestamp.h"

namespace sidrec::cli {
namespace {

constexpr size_t kNamedTerminals = 5;  // in one sentence

class TerminalScan {
 public:
  explicit TerminalScan(TrailReader& reader) : reader_(reader) {}

  Result<TerminalList> run() {
    LineFactsReader facts_reader;
    LineFacts facts;
    while (!list_.ended) {
      const auto more = reader_.next();
      if (!more) return more.error();
      if (!*more) break;
      if (!facts_reader.read(reader_.line(), facts)) return reader_.error_here("not a line of a trail");
      if (const auto taken = take(facts); !taken) return taken.error();
    }
    return std::move(list_);
  }

 private:
  Result<void> take(const LineFacts& facts) {
    switch (facts.kind) {
      case LineKind::kSessionEnd: list_.ended = true; return {};
      case LineKind::kConnClose: users_.erase(std::string(facts.conn)); return {};
      case LineKind::kData:
      case LineKind::kGap: bytes(facts); return {};
      case LineKind::kSessionStart:
      case LineKind::kIdentity:
      case LineKind::kChanOpen:
      case LineKind::kTtyResize:
      case LineKind::kChanClose: return take_whole(facts);
      case LineKind::kConnOpen:
      case LineKind::kMasterChange:
      case LineKind::kSeal:
      case LineKind::kOther: return {};
    }
    return {};
  }

  Result<void> take_whole(const LineFacts& facts) {
    const auto line = reader_.parsed();
    if (!line) return line.error();
    if (facts.kind == LineKind::kSessionStart) return start(*line);
    if (facts.kind == LineKind::kIdentity) return identity(*line);
    if (facts.kind == LineKind::kChanOpen) return open(*line);
    Terminal* const terminal = find(facts);
    if (terminal == nullptr) return {};
    if (facts.kind == LineKind::kTtyResize) {
      resize(*terminal, {number_at(*line, "cols"), number_at(*line, "rows")});
    } else {
      terminal->closed = true;
      terminal->bytes_out = std::max(terminal->bytes_out, number_at(*line, "bytes_out"));
    }
    return {};
  }

  Result<void> start(const nlohmann::json& line) {
    list_.sid = string_at(line, "sid");
    if (number_at(line, "v") == kTrailVersion) return {};
    return reader_.error_here("format version " + std::to_string(number_at(line, "v")) + " is not known here");
  }

  // It may come before the terminal of that user, or after.
  Result<void> identity(const nlohmann::json& line) {
    const std::string conn = string_at(line, "conn");
    const std::string user = string_at(line, "user");
    for (Terminal& terminal : list_.terminals) {
      if (terminal.conn == conn) terminal.user = user;
    }
    users_[conn] = user;
    return {};
  }

  Result<void> open(const nlohmann::json& line) {
    if (string_at(line, "kind") != "pty") return {};
    Terminal terminal;
    terminal.conn = string_at(line, "conn");
    terminal.chan = string_at(line, "chan");
    terminal.tty = string_at(line, "tty");
    terminal.started = string_at(line, "ts");
    terminal.counted = string_at(line, "content") == "counted";
    const auto time = time_of(terminal.started);
    if (!time) return time.error();
    terminal.start_ns = terminal.last_ns = *time;
    if (const auto user = users_.find(terminal.conn); user != users_.end()) terminal.user = user->second;
    list_.terminals.push_back(std::move(terminal));
    return {};
  }

  static void resize(Terminal& terminal, ScreenSize size) {
    if (size.cols == 0 || size.rows == 0) return;  // a client without a window of its own
    if (terminal.largest_size.cols == 0) terminal.first_size = size;
    terminal.largest_size.cols = std::max(terminal.largest_size.cols, size.cols);
    terminal.largest_size.rows = std::max(terminal.largest_size.rows, size.rows);
  }

  void bytes(const LineFacts& facts) {
    Terminal* const terminal = find(facts);
    if (terminal == nullptr) return;
    if (const auto time = times_.read(facts.ts)) terminal->last_ns = std::max(terminal->last_ns, *time);
    if (facts.dir == Direction::kOut) terminal->bytes_out = std::max(terminal->bytes_out, facts.off + facts.len);
  }

  // Most lines belong to the terminal of the line before.
  Terminal* find(const LineFacts& facts) {
    if (facts.chan.empty()) return nullptr;
    const auto is_it = [&](const Terminal& terminal) {
      return terminal.chan == facts.chan && terminal.conn == facts.conn;
    };
    auto& terminals = list_.terminals;
    if (last_found_ < terminals.size() && is_it(terminals[last_found_])) return &terminals[last_found_];
    const auto found = std::find_if(terminals.rbegin(), terminals.rend(), is_it);
    if (found == terminals.rend()) return nullptr;
    last_found_ = static_cast<size_t>(&*found - terminals.data());
    return &*found;
  }

  Result<uint64_t> time_of(std::string_view ts) {
    const auto time = times_.read(ts);
    if (!time) return reader_.error_here("its ts is no time");
    return *time;
  }

  TrailReader& reader_;
  TerminalList list_;
  std::map<std::string, std::string> users_;  // of the connections that are open
  TimestampReader times_;
  size_t last_found_ = 0;
};

std::string options_for(const Terminal& terminal) {
  const std::string user = terminal.user.empty() ? "" : " (" + printable(terminal.user) + ")";
  return "--conn " + printable(terminal.conn) + " --chan " + printable(terminal.chan) + user;
}

bool fits(const Terminal& terminal, const TerminalChoice& choice) {
  return (choice.conn.empty() || terminal.conn == choice.conn) && (choice.chan.empty() || terminal.chan == choice.chan);
}

}  // namespace

Result<TerminalList> terminals_of(const std::string& path) {
  auto reader = TrailReader::open(path);
  if (!reader) return reader.error();
  return TerminalScan(*reader).run();
}

int list_terminals(const std::string& path) {
  const auto list = terminals_of(path);
  if (!list) return fail(list.error().message);
  if (list->terminals.empty()) return fail(no_terminal(path, {}));
  Table table({{"CONN"}, {"CHAN"}, {"USER"}, {"TTY"}, {"STARTED"}, {"DURATION", true}, {"BYTES", true}, {"STATE"}});
  for (const Terminal& each : list->terminals) {
    table.add({printable(each.conn), printable(each.chan), printable(each.user), printable(each.tty),
               start_text(each.started), duration_text((each.last_ns - each.start_ns) / kMillisecond),
               bytes_text(each.bytes_out),
               each.counted  ? "counted only"
               : each.closed ? "closed"
                             : "open"});
  }
  Output output;
  table.put(output);
  return output.finish();
}

void add_terminal_choice(CLI::App& verb, TerminalChoice& choice) {
  add_trail_choice(verb, choice.trail);
  verb.add_option("--conn", choice.conn, "The terminal's connection, as -l shows it (default: of the first terminal)");
  verb.add_option("--chan", choice.chan, "The terminal's channel, as -l shows it (default: the first)");
  verb.add_flag("-l,--list", choice.list, "Only list the session's terminals");
}

const Terminal* first_fitting(const TerminalList& list, const TerminalChoice& choice) {
  const Terminal* first = nullptr;
  std::string others;
  size_t count = 0;
  for (const Terminal& terminal : list.terminals) {
    if (!fits(terminal, choice)) continue;
    if (++count == 1) {
      first = &terminal;
    } else if (count <= 1 + kNamedTerminals) {
      others += (count == 2 ? "" : ", ") + options_for(terminal);
    }
  }
  if (count <= 1) return first;
  if (count > 1 + kNamedTerminals) others += " and " + std::to_string(count - 1 - kNamedTerminals) + " more, see -l";
  complain("this is the first of " + std::to_string(count) + " terminals, " + options_for(*first) +
           "; the others: " + others);
  return first;
}

std::string no_terminal(const std::string& path, const TerminalChoice& choice) {
  const bool any = choice.conn.empty() && choice.chan.empty();
  return path + ": " + (any ? "holds no terminal: see \"sidrec tail\" for what it holds" : "no such terminal: see -l");
}

}  // namespace sidrec::cli
