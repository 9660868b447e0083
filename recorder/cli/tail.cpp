// sidrec tail: a session as it is, or with -f as it goes on.
#include <deque>
#include <memory>
#include <optional>

#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/readable_line.h"
#include "recorder/cli/trail_choice.h"
#include "recorder/cli/verbs.h"
#include "recorder/trail/last_line.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/trail_store.h"

namespace sidrec::cli {
namespace {

struct TailOptions {
  TrailChoice trail;
  bool follow = false;
  bool json = false;
  size_t last = 0;  // 0: all lines
};

class Tail {
 public:
  explicit Tail(const TailOptions& options) : options_(options), colour_(Output::wants_colour()) {}

  int run() {
    auto path = choose();
    if (!path) return fail(path.error().message);
    if (!*path) return kOk;  // nobody waits for it any more
    auto reader = TrailReader::open(**path);
    if (!reader) return fail(reader.error().message);
    if (options_.follow) watch_.watch(trail_file(**path).dir);
    return show(*reader);
  }

 private:
  Result<std::optional<std::string>> choose() {
    if (options_.follow) return wait_for_path(options_.trail, watch_);
    auto path = path_of(options_.trail);
    if (!path) return path.error();
    return std::optional(std::move(*path));
  }

  int show(TrailReader& reader) {
    int code = kOk;
    bool going = true;
    while (going) {
      if (auto shown = show_new_lines(reader); !shown) {
        code = fail(shown.error().message);
        break;
      } else {
        going = *shown;
      }
      going = put_held() && output_.flush() && going && options_.follow && watch_.wait();
      if (going && reader.was_shortened()) {
        code = fail(reader.path() + " has become shorter than what was read of it already", kIncomplete);
        break;
      }
    }
    put_held();
    return std::max(code, output_.finish());
  }

  // False when there can be no more: the session has ended, or nobody reads.
  Result<bool> show_new_lines(TrailReader& reader) {
    while (true) {
      auto more = reader.next();
      if (!more) return more.error();
      if (!*more) return !ended_;
      auto text = text_of(reader);
      if (!text) return text.error();
      if (!put(std::move(*text))) return false;
      ended_ = ended_ || is_session_end(reader.line());
    }
  }

  Result<std::string> text_of(const TrailReader& reader) const {
    if (options_.json) return std::string(reader.line()) + "\n";
    const auto parsed = reader.parsed();
    if (!parsed) return parsed.error();
    return readable_line(*parsed, colour_);
  }

  // Until the trail's present end is reached, only the last lines are kept; from then on all are shown.
  bool put(std::string text) {
    if (options_.last == 0 || caught_up_) return output_.put(text);
    held_.push_back(std::move(text));
    if (held_.size() > options_.last) held_.pop_front();
    return true;
  }
  bool put_held() {
    caught_up_ = true;
    bool read_by_somebody = true;
    for (const std::string& text : held_) read_by_somebody = read_by_somebody && output_.put(text);
    held_.clear();
    return read_by_somebody;
  }

  const TailOptions& options_;
  const bool colour_;
  Output output_;
  StoreWatch watch_;
  std::deque<std::string> held_;
  bool caught_up_ = false;
  bool ended_ = false;  // only its seal may come
};

}  // namespace

Verb add_tail(CLI::App& app) {
  auto options = std::make_shared<TailOptions>();
  CLI::App* verb = app.add_subcommand("tail", "Show a session, or follow it while it goes on");
  add_trail_choice(*verb, options->trail);
  verb->add_flag("-f,--follow", options->follow,
                 "Show what comes until the session ends; waits for the first session if there is none yet");
  verb->add_flag("--json", options->json, "The lines of the trail as they are");
  verb->add_option("-n,--lines", options->last, "Only the last N lines there are now (default: all)");
  verb->footer(
      "\n→ is from the client, ← to it. Bytes that are no visible text are escaped.\n"
      "\nExamples:\n"
      "  sidrec tail -f\n"
      "  sidrec tail alice@203.0.113.7\n"
      "  sidrec tail --json -f | jq -r 'select(.ev == \"data\" and .dir == \"in\") | .text'\n" +
      std::string(kExitCodes));
  return {verb, [options] { return Tail(*options).run(); }};
}

}  // namespace sidrec::cli
