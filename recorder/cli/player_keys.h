// PlayerKeys: what was typed at a player. What is played may ask the terminal things, whose answers come like typed
// bytes (ECMA-48 control sequences and strings, ESC O and a byte): they are no keys.
#pragma once

#include <string_view>
#include <vector>

namespace sidrec::cli {

enum class Key { kPause, kFaster, kSlower, kStep, kQuit };

class PlayerKeys {
 public:
  std::vector<Key> read(std::string_view bytes);

 private:
  enum class State { kKeys, kEscape, kSequence, kString, kEscapeInString, kOneMore };

  State after_escape(char byte) const;

  State state_ = State::kKeys;
};

}  // namespace sidrec::cli
