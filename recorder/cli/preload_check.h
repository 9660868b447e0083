// Can this program be recorded? LD_PRELOAD is read by the dynamic loader only, and not in secure execution
// (ld.so(8)): a static, set-user-id or foreign program would run on unrecorded, and silently. So `run` asks first.
#pragma once

#include <optional>
#include <string>

#include "recorder/cli/exit_code.h"

namespace sidrec::cli {

struct Refusal {
  std::string path;
  std::string what;    // "it is statically linked"
  std::string why;     // "no library can be preloaded there"
  std::string remedy;  // "use a dynamically linked build"
  ExitCode code;

  std::string sentence() const;
};

// The file that execvp(3) would execute for `command`; "" if there is none.
std::string find_program(const std::string& command);

struct PreloadCheck {
  std::string executable;  // `path`, or the interpreter that its first line names
  std::optional<Refusal> refusal;
};
PreloadCheck check_program(const std::string& path);

}  // namespace sidrec::cli
