// sidrec's command line. Reads trails and starts recorded programs; never writes a trail and never links the shim.
#pragma once

#include <string>
#include <vector>

namespace sidrec::cli {

// `arguments` without the program's name. Returns the exit code; does not return from `run` when CMD was executed.
int run_command_line(std::vector<std::string> arguments);

}  // namespace sidrec::cli
