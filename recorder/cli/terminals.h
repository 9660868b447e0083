// The terminals (channels of kind pty) that a trail holds, and which of them the user means.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/cli/trail_choice.h"

namespace sidrec::cli {

struct ScreenSize {
  uint64_t cols = 0;
  uint64_t rows = 0;
};
inline constexpr ScreenSize kUnknownSize = {80, 24};  // for a terminal whose size the trail does not tell

struct Terminal {
  std::string conn;
  std::string chan;
  std::string user;  // "" where the trail does not tell
  std::string tty;
  std::string started;  // ts
  uint64_t start_ns = 0;
  uint64_t last_ns = 0;
  uint64_t bytes_out = 0;
  bool counted = false;  // its bytes were not kept
  bool closed = false;
  ScreenSize first_size = kUnknownSize;
  ScreenSize largest_size;
};

struct TerminalList {
  std::string sid;
  std::vector<Terminal> terminals;  // in the order of their beginning
  bool ended = false;               // the session: there can be no more
};

// Reads the trail as far as it is there. Remembers a line's worth for each terminal and each open connection.
Result<TerminalList> terminals_of(const std::string& path);

// What -l shows, and its exit code.
int list_terminals(const std::string& path);

// As given on the command line; "" where it was not.
struct TerminalChoice {
  TrailChoice trail;
  std::string conn;
  std::string chan;
  bool list = false;
};

// add_trail_choice() and --conn, --chan, --list.
void add_terminal_choice(CLI::App& verb, TerminalChoice& choice);

// The first terminal that fits; nullptr if none does. With several, says on stderr which others there are.
const Terminal* first_fitting(const TerminalList& list, const TerminalChoice& choice);

// The sentence for "there is none".
std::string no_terminal(const std::string& path, const TerminalChoice& choice);
inline constexpr const char* kCountedTerminal = ": the bytes of this terminal were counted, not kept";

}  // namespace sidrec::cli
