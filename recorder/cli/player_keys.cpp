#include "recorder/cli/player_keys.h"

#include <optional>

namespace sidrec::cli {
namespace {

constexpr char kEsc = '\x1b', kBel = '\x07';

std::optional<Key> key_of(char byte) {
  switch (byte) {
    case ' ': return Key::kPause;
    case '+':
    case '=': return Key::kFaster;  // the same key without shift on most keyboards
    case '-': return Key::kSlower;
    case '.': return Key::kStep;
    case 'q': return Key::kQuit;
    default: return std::nullopt;
  }
}

}  // namespace

PlayerKeys::State PlayerKeys::after_escape(char byte) const {
  switch (byte) {
    case kEsc: return State::kEscape;
    case '[': return State::kSequence;
    case 'O': return State::kOneMore;
    case 'P':
    case 'X':
    case ']':
    case '^':
    case '_': return State::kString;
    default: return State::kKeys;
  }
}

std::vector<Key> PlayerKeys::read(std::string_view bytes) {
  std::vector<Key> keys;
  for (const char byte : bytes) {
    switch (state_) {
      case State::kKeys:
        if (byte == kEsc) {
          state_ = State::kEscape;
        } else if (const auto key = key_of(byte)) {
          keys.push_back(*key);
        }
        break;
      case State::kEscape: state_ = after_escape(byte); break;
      case State::kSequence:
        if (byte >= '@' && byte <= '~') state_ = State::kKeys;
        break;
      case State::kString:
        if (byte == kBel) state_ = State::kKeys;
        if (byte == kEsc) state_ = State::kEscapeInString;
        break;
      case State::kEscapeInString: state_ = byte == '\\' ? State::kKeys : State::kString; break;
      case State::kOneMore: state_ = State::kKeys; break;
    }
  }
  return keys;
}

}  // namespace sidrec::cli
