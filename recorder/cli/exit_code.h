// What `sidrec` ends with, and how it complains. Every verb's --help shows this table.
#pragma once

#include <iostream>
#include <string_view>

#include "recorder/base/result.h"

namespace sidrec::cli {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,       // a file or directory could not be used
  kUsage = 2,        // the command line makes no sense
  kIncomplete = 3,   // the trail cannot prove what was asked for: a hole, bytes twice, a seal that does not fit
  kCannotRun = 126,  // run: CMD is there but cannot be recorded or executed, as env(1)
  kNotFound = 127,   // run: there is no CMD
};

inline constexpr std::string_view kExitCodes =
    "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 the trail is incomplete or wrong.";

inline void complain(std::string_view sentence) { std::cerr << "sidrec: " << sentence << '\n'; }
inline int fail(std::string_view sentence, ExitCode code = kFailed) {
  complain(sentence);
  return code;
}

}  // namespace sidrec::cli
