// Can this program be recorded? LD_PRELOAD is read by the dynamic loader only, and not in secure execution
// (ld.so(8)): a static, set-user-id or foreign program would run on unrecorded, and silently. So `run` asks first.
#pragma once

#include <optional>
#include <string>

#include "recorder/cli/exit_code.h"

namespace sidrec::cli {

struct Refusal {
  std::string sentence;
  ExitCode code;
};

// The file that execvp(3) would execute for `command`; "" if there is none.
std::string find_program(const std::string& command);

// Nothing if the program, or the interpreter its first line names, can be recorded. `path` is a file.
std::optional<Refusal> why_not_recordable(const std::string& path);

}  // namespace sidrec::cli
