// sidrec export: a terminal as a file for the players of others.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "recorder/base/clock.h"
#include "recorder/base/unique_fd.h"
#include "recorder/cli/asciicast.h"
#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/terminal_stream.h"
#include "recorder/cli/terminals.h"
#include "recorder/cli/utf8_joiner.h"
#include "recorder/cli/verbs.h"

namespace sidrec::cli {
namespace {

constexpr mode_t kFileMode = 0640;  // as the trail's

struct ExportOptions {
  TerminalChoice terminal;
  std::string format = "asciicast";
  std::string file;
  bool input = false;
};

// Empties the file only once it is known not to be the trail.
Result<UniqueFd> create(const std::string& path, const TrailReader& trail) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kFileMode));
  struct stat made {};
  if (!fd || fstat(fd.get(), &made) != 0) return errno_error("cannot write " + path);
  for (const std::string& file : trail.bytes().files()) {
    struct stat source {};
    if (stat(file.c_str(), &source) == 0 && made.st_dev == source.st_dev && made.st_ino == source.st_ino) {
      return Error{path + " is the trail itself: name another file"};
    }
  }
  if (S_ISREG(made.st_mode) && ftruncate(fd.get(), 0) != 0) return errno_error("cannot empty " + path);
  return fd;
}

std::string size_text(const ScreenSize& size) { return std::to_string(size.cols) + "x" + std::to_string(size.rows); }

// The events of a terminal as those of an asciicast.
class Asciicast {
 public:
  Asciicast(Output& output, const TerminalList& list, const Terminal& terminal)
      : output_(output), size_(terminal.first_size) {
    output_.put(asciicast_header({size_.cols, size_.rows, terminal.start_ns / kSecond, list.sid}));
  }

  // False when nobody reads any more.
  bool put(const TerminalEvent& event) {
    time_ns_ = event.time_ns;
    switch (event.kind) {
      case TerminalEvent::Kind::kBytes:
        return event.dir == Direction::kIn ? put(AsciicastCode::kInput, input_.join(event.text))
                                           : put(AsciicastCode::kOutput, screen_.join(event.text));
      case TerminalEvent::Kind::kHole: return put_hole(event);
      case TerminalEvent::Kind::kResize: return resize(event.size);
    }
    return true;
  }

  void finish() {
    put(AsciicastCode::kInput, input_.finish());
    put(AsciicastCode::kOutput, screen_.finish());
  }

  const std::string& first_hole() const { return first_hole_; }

 private:
  bool put(AsciicastCode code, const std::string& text) {
    return text.empty() || output_.put(asciicast_event(time_ns_, code, text));
  }

  bool put_hole(const TerminalEvent& event) {
    if (first_hole_.empty()) first_hole_ = event.text;
    if (event.dir == Direction::kIn) {
      return put(AsciicastCode::kInput, input_.finish()) && put(AsciicastCode::kMarker, "input: " + event.text);
    }
    return put(AsciicastCode::kOutput, screen_.finish() + hole_mark(event.text, true));
  }

  // The first is the header's.
  bool resize(const ScreenSize& size) {
    if (size.cols == size_.cols && size.rows == size_.rows) return true;
    size_ = size;
    return put(AsciicastCode::kResize, size_text(size));
  }

  Output& output_;
  ScreenSize size_;
  Utf8Joiner screen_;
  Utf8Joiner input_;
  uint64_t time_ns_ = 0;
  std::string first_hole_;
};

int write_asciicast(const ExportOptions& options, Output& output, TrailReader& reader, const TerminalList& list,
                    const Terminal& terminal) {
  TerminalStream stream(reader, terminal, options.input);
  Asciicast cast(output, list, terminal);
  bool settled = false;
  bool going = true;
  while (going) {
    const auto event = stream.next();
    if (!event) return fail(event.error().message);
    if (*event) {
      going = cast.put(**event);
    } else if (settled || stream.ended()) {
      break;
    } else {
      stream.settle();
      settled = true;
    }
  }
  cast.finish();
  const int written = output.finish();
  if (written != kOk) return written;
  if (!cast.first_hole().empty()) return fail(reader.path() + ": " + cast.first_hole(), kIncomplete);
  if (going && !stream.ended()) {
    complain(reader.path() + ": the terminal is not closed yet, this is its screen so far");
  }
  return kOk;
}

int export_terminal(const ExportOptions& options) {
  const auto path = path_of(options.terminal.trail);
  if (!path) return fail(path.error().message);
  if (options.terminal.list) return list_terminals(*path);
  const auto list = terminals_of(*path);
  if (!list) return fail(list.error().message);
  const Terminal* const terminal = first_fitting(*list, options.terminal);
  if (terminal == nullptr) return fail(no_terminal(*path, options.terminal));
  if (terminal->counted) return fail(*path + kCountedTerminal, kIncomplete);

  auto reader = TrailReader::open(*path);
  if (!reader) return fail(reader.error().message);
  if (options.file.empty()) {
    Output output;
    return write_asciicast(options, output, *reader, *list, *terminal);
  }
  const auto file = create(options.file, *reader);
  if (!file) return fail(file.error().message);
  Output output(file->get(), options.file);
  return write_asciicast(options, output, *reader, *list, *terminal);
}

}  // namespace

Verb add_export(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* verb = app.add_subcommand("export", "Write an ssh terminal as a file for other players");
  add_terminal_choice(*verb, options->terminal);
  verb->add_option("--format", options->format, "asciicast: version 2, for asciinema (default)")
      ->check(CLI::IsMember({"asciicast"}));
  verb->add_option("-o,--output", options->file,
                   "The file to write, replaced if it is there (default: standard output)");
  verb->add_flag("--input", options->input, "With what was typed, but for what the recording has masked");
  verb->footer(
      "\nThe result is a view, not the evidence: it is text, so bytes that are no UTF-8 become U+FFFD. The bytes as\n"
      "they passed: sidrec cat. Where bytes are missing a mark on the screen says so, and the exit code is 3.\n"
      "\nExamples:\n"
      "  sidrec export --format asciicast alice@203.0.113.7 -o alice.cast && asciinema play alice.cast\n"
      "  sidrec export -l alice@203.0.113.7\n"
      "  sidrec export --input --conn c7f3a ./20261123T223000Z-01938a….jsonl > typed.cast\n" +
      std::string(kExitCodes));
  return {verb, [options] { return export_terminal(*options); }};
}

}  // namespace sidrec::cli
