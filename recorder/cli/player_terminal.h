// PlayerTerminal: the terminal that a recording is played on, if standard output is one. While it lives the terminal
// passes bytes on untouched and shows no key typed; it is as before when this ends, also by SIGINT, SIGTERM, SIGHUP or
// SIGQUIT (then the process ends by that signal), and while the process is stopped by SIGTSTP. One at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "recorder/cli/player_keys.h"

namespace sidrec::cli {

class PlayerTerminal {
 public:
  PlayerTerminal();
  ~PlayerTerminal();
  PlayerTerminal(const PlayerTerminal&) = delete;
  PlayerTerminal& operator=(const PlayerTerminal&) = delete;

  // Sleeps at most `ns`, without it until a key is pressed. The keys that were, and kQuit when the reader of standard
  // output or the keyboard has gone.
  std::vector<Key> wait(std::optional<uint64_t> ns);

  // Readable when a key has been pressed; -1 if there is no keyboard.
  int keyboard() const { return keyboard_; }

 private:
  bool is_terminal_;
  int keyboard_;
  PlayerKeys keys_;
};

}  // namespace sidrec::cli
