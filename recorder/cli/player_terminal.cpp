#include "recorder/cli/player_terminal.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "recorder/base/clock.h"
#include "recorder/cli/output.h"

namespace sidrec::cli {
namespace {

// A recording that is left in the middle may leave anything behind: end an escape sequence (CAN), leave the alternate
// screen (without 1049's restoring of the cursor), soft reset (DECSTR: margins, attributes, cursor keys), show the
// cursor, no mouse, no bracketed paste.
constexpr std::string_view kAsUsual =
    "\x18\x1b[?47l\x1b[!p\x1b[0m\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\r\n";

constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// What the signal handlers need; set before they are installed. All that they call is safe there (signal-safety(7)).
termios as_it_was;
termios for_playing;

void enter() { tcsetattr(STDOUT_FILENO, TCSANOW, &for_playing); }

void leave() {
  tcsetattr(STDOUT_FILENO, TCSANOW, &as_it_was);
  tcflow(STDOUT_FILENO, TCOON);      // a terminal stopped by ^S would hold us up for ever
  tcflush(STDOUT_FILENO, TCIFLUSH);  // answers to what was played are not for the shell
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, kAsUsual.data(), kAsUsual.size());
}

// Installed with SA_RESETHAND: the second delivery ends the process.
void end_by(int signal) {
  leave();
  raise(signal);
}

void stop(int);

void catch_stop() {
  struct sigaction action {};
  action.sa_handler = stop;
  sigaction(SIGTSTP, &action, nullptr);
}

void stop(int) {
  const int error = errno;
  leave();
  std::signal(SIGTSTP, SIG_DFL);
  raise(SIGTSTP);
  sigset_t just_this;
  sigemptyset(&just_this);
  sigaddset(&just_this, SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &just_this, nullptr);  // stops here, until SIGCONT
  catch_stop();
  enter();
  errno = error;
}

// What the caller has set to be ignored (nohup(1)) stays so.
void catch_ending(int signal) {
  struct sigaction action {};
  if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = end_by;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(signal, &action, nullptr);
}

}  // namespace

PlayerTerminal::PlayerTerminal()
    : is_terminal_(Output::is_terminal() && tcgetattr(STDOUT_FILENO, &as_it_was) == 0),
      keyboard_(is_terminal_ && isatty(STDIN_FILENO) == 1 ? STDIN_FILENO : -1) {
  if (!is_terminal_) return;
  for_playing = as_it_was;
  for_playing.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  for_playing.c_oflag &= ~static_cast<tcflag_t>(OPOST);  // the recorded terminal has done this already
  for_playing.c_cc[VMIN] = 1;
  for_playing.c_cc[VTIME] = 0;
  for (const int signal : kEndingSignals) catch_ending(signal);
  catch_stop();
  enter();
}

PlayerTerminal::~PlayerTerminal() {
  if (!is_terminal_) return;
  std::signal(SIGTSTP, SIG_DFL);
  for (const int signal : kEndingSignals) std::signal(signal, SIG_DFL);
  leave();
}

std::vector<Key> PlayerTerminal::wait(std::optional<uint64_t> ns) {
  if (keyboard_ < 0 && ns == 0) return {};
  std::array<pollfd, 2> fds = {{{keyboard_, POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};
  timespec time{};
  if (ns) time = {static_cast<time_t>(*ns / kSecond), static_cast<long>(*ns % kSecond)};
  if (ppoll(fds.data(), fds.size(), ns ? &time : nullptr, nullptr) <= 0) return {};
  if ((fds[1].revents & (POLLERR | POLLHUP)) != 0) return {Key::kQuit};
  if (fds[0].revents == 0) return {};
  std::array<char, 256> typed;
  const ssize_t got = read(keyboard_, typed.data(), typed.size());
  if (got > 0) return keys_.read({typed.data(), static_cast<size_t>(got)});
  return got < 0 && errno == EINTR ? std::vector<Key>() : std::vector<Key>{Key::kQuit};
}

}  // namespace sidrec::cli
