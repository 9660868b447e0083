// What the verbs that read trails write, to standard output or a file: gathered, written whole, and done quietly when
// its reader has gone.
#pragma once

#include <unistd.h>

#include <string>
#include <string_view>

namespace sidrec::cli {

class Output {
 public:
  // Ignores SIGPIPE, so that a closed pipe is an answer and not the end of the process (pipe(7)).
  // The descriptor stays the caller's; `name` is for errors.
  explicit Output(int fd = STDOUT_FILENO, std::string name = "the output");

  // False when nobody reads any more, or the disk is full: stop.
  bool put(std::string_view bytes);
  bool flush();

  // 0; kFailed with a complaint if it was anything but a reader that has gone.
  int finish();

  static bool is_terminal();
  // A terminal, and NO_COLOR is not set (no-color.org).
  static bool wants_colour();

 private:
  int fd_;
  std::string name_;
  std::string gathered_;
  int error_ = 0;
};

}  // namespace sidrec::cli
