// Another program, run to its end: the machine's own tools, and a service's check of its configuration.
#pragma once

#include <string>
#include <vector>

#include "recorder/base/result.h"

namespace sidrec::cli {

struct Outcome {
  int code;            // its exit code; 128 + signal where it was ended by one
  std::string output;  // both standard output and standard error
};

// `command[0]`: a path, or a name in the machine's own directories. `environment`: NAME=value, each ended by NUL,
// beside a PATH. An error if it cannot be started, or has not ended in 30 s; it is ended then.
Result<Outcome> run_program(const std::vector<std::string>& command, const std::string& environment = {});

// The same for one that must end with 0; else the error is what it said last.
Result<void> run_tool(const std::vector<std::string>& command);

}  // namespace sidrec::cli
