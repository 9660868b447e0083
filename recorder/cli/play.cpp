// sidrec play: a terminal as its user saw it, with its timing.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <memory>
#include <optional>

#include "recorder/base/clock.h"
#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/pace.h"
#include "recorder/cli/player_terminal.h"
#include "recorder/cli/store_watch.h"
#include "recorder/cli/terminal_stream.h"
#include "recorder/cli/terminals.h"
#include "recorder/cli/verbs.h"
#include "recorder/trail/trail_store.h"

namespace sidrec::cli {
namespace {

// Of a trail that is followed: so long a line may be missing before it is called missing.
constexpr uint64_t kMissingAfterNs = kSecond;
constexpr double kMaxSeconds = 1e9;

struct PlayOptions {
  TerminalChoice terminal;
  double speed = 1;
  double max_idle_s = 3;
  bool follow = false;
};

void warn_if_smaller(const Terminal& terminal) {
  winsize here{};
  if (!Output::is_terminal() || ioctl(STDOUT_FILENO, TIOCGWINSZ, &here) != 0 || here.ws_col == 0) return;
  const ScreenSize& there = terminal.largest_size;
  if (here.ws_col >= there.cols && here.ws_row >= there.rows) return;
  complain("this terminal has " + std::to_string(here.ws_col) + "x" + std::to_string(here.ws_row) +
           " characters, the recorded one had up to " + std::to_string(there.cols) + "x" + std::to_string(there.rows) +
           ": make this one larger, or what you see is out of place");
}

class Player {
 public:
  Player(const PlayOptions& options, TrailReader& reader, const Terminal& terminal, StoreWatch& watch)
      : follow_(options.follow),
        reader_(reader),
        stream_(reader, terminal, false),
        watch_(watch),
        pace_(options.speed, static_cast<uint64_t>(options.max_idle_s * double{kSecond}), monotonic_ns()) {}

  int play() {
    const auto played = on_screen();
    if (!played) return fail(played.error().message, reader_.was_shortened() ? kIncomplete : kFailed);
    const int written = output_.finish();
    if (!first_hole_.empty()) return fail(reader_.path() + ": " + first_hole_, kIncomplete);
    if (!quit_ && !stream_.ended()) {
      complain(reader_.path() + ": the terminal is not closed yet, this is its screen so far");
    }
    return written;
  }

 private:
  // Messages are for before and after: meanwhile the screen is the recording's.
  Result<void> on_screen() {
    PlayerTerminal terminal;
    while (!quit_) {
      const auto event = stream_.next();
      if (!event) return event.error();
      if (*event) {
        heard_ns_ = monotonic_ns();
        show(**event, terminal);
      } else if (stream_.ended() || !wait_for_more(terminal)) {
        break;
      }
      if (follow_ && reader_.was_shortened()) {
        return Error{reader_.path() + " has become shorter than what was played of it already"};
      }
    }
    output_.flush();
    return {};
  }

  // False when there can be no more.
  bool wait_for_more(PlayerTerminal& terminal) {
    if (!follow_) {
      if (settled_) return false;
      stream_.settle();
      return settled_ = true;
    }
    if (!output_.flush() || !watch_.wait(terminal.keyboard())) return false;
    press(terminal.wait(0));
    if (monotonic_ns() - heard_ns_ > kMissingAfterNs) stream_.settle();
    return true;
  }

  void show(const TerminalEvent& event, PlayerTerminal& terminal) {
    if (event.kind == TerminalEvent::Kind::kResize) return;
    pace_.next(event.time_ns);
    wait_until_due(terminal);
    if (quit_) return;
    const bool hole = event.kind == TerminalEvent::Kind::kHole;
    if (hole && first_hole_.empty()) first_hole_ = event.text;
    quit_ = !output_.put(hole ? hole_mark(event.text, Output::is_terminal()) : event.text);
  }

  void wait_until_due(PlayerTerminal& terminal) {
    bool looked = false;
    while (!quit_) {
      pace_.clock(monotonic_ns());
      const auto left_ns = pace_.left_ns();
      if (left_ns == 0 && looked) return;
      if (left_ns != 0 && !output_.flush()) quit_ = true;
      if (!quit_) press(terminal.wait(left_ns));
      looked = true;
    }
  }

  void press(const std::vector<Key>& keys) {
    pace_.clock(monotonic_ns());
    for (const Key key : keys) {
      switch (key) {
        case Key::kPause: pace_.pause_or_go_on(); break;
        case Key::kFaster: pace_.faster(); break;
        case Key::kSlower: pace_.slower(); break;
        case Key::kStep: pace_.step(); break;
        case Key::kQuit: quit_ = true; break;
      }
    }
  }

  const bool follow_;
  TrailReader& reader_;
  TerminalStream stream_;
  StoreWatch& watch_;
  Output output_;
  Pace pace_;
  std::string first_hole_;
  uint64_t heard_ns_ = monotonic_ns();  // when the trail last gave something
  bool settled_ = false;
  bool quit_ = false;
};

Result<std::optional<std::string>> choose_path(const PlayOptions& options, StoreWatch& watch) {
  if (options.follow) return wait_for_path(options.terminal.trail, watch);
  auto path = path_of(options.terminal.trail);
  if (!path) return path.error();
  return std::optional(std::move(*path));
}

// With -f waits for the terminal. Nothing when the reader of standard output has gone meanwhile.
Result<std::optional<Terminal>> choose_terminal(const PlayOptions& options, const std::string& path,
                                                StoreWatch& watch) {
  while (true) {
    auto list = terminals_of(path);
    if (!list) return list.error();
    if (const Terminal* const terminal = first_fitting(*list, options.terminal)) return std::optional(*terminal);
    if (!options.follow || list->ended) return Error{no_terminal(path, options.terminal)};
    if (!watch.wait()) return std::optional<Terminal>();
  }
}

int play_terminal(const PlayOptions& options) {
  StoreWatch watch;
  const auto path = choose_path(options, watch);
  if (!path) return fail(path.error().message);
  if (!*path) return kOk;
  if (options.terminal.list) return list_terminals(**path);

  if (options.follow) watch.watch(trail_file(**path).dir);
  const auto terminal = choose_terminal(options, **path, watch);
  if (!terminal) return fail(terminal.error().message);
  if (!*terminal) return kOk;
  if ((*terminal)->counted) return fail(**path + kCountedTerminal, kIncomplete);
  auto reader = TrailReader::open(**path);
  if (!reader) return fail(reader.error().message);
  warn_if_smaller(**terminal);
  return Player(options, *reader, **terminal, watch).play();
}

}  // namespace

Verb add_play(CLI::App& app) {
  auto options = std::make_shared<PlayOptions>();
  CLI::App* verb = app.add_subcommand("play", "Replay an ssh terminal as its user saw it");
  add_terminal_choice(*verb, options->terminal);
  verb->add_option("--speed", options->speed, "So many times as fast; 0: without pauses (default: 1)")
      ->check(CLI::Range(0.0, 1e6));
  verb->add_option("--max-idle", options->max_idle_s, "No pause is longer than so many recorded seconds (default: 3)")
      ->check(CLI::Range(0.0, kMaxSeconds));
  verb->add_flag("-f,--follow", options->follow,
                 "Go on with what comes until the terminal is closed; waits for the first one if there is none yet");
  verb->footer(
      "\nKeys: space pause and go on, + twice as fast, - half as fast, . next output and pause, q quit.\n"
      "The bytes are the recorded ones, and your terminal obeys them as the recorded one did. Where bytes are missing\n"
      "a mark says so, and the exit code is 3.\n"
      "\nExamples:\n"
      "  sidrec play alice@203.0.113.7\n"
      "  sidrec play -l alice@203.0.113.7\n"
      "  sidrec play --speed 4 --max-idle 0.5 ./20261123T223000Z-01938a….jsonl\n"
      "  sidrec play -f --speed 0    (the newest session: all of it at once, then live)\n" +
      std::string(kExitCodes));
  return {verb, [options] { return play_terminal(*options); }};
}

}  // namespace sidrec::cli
