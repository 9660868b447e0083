// Where the recording library is that belongs to this very program.
#pragma once

#include <string>
#include <string_view>

#include "recorder/base/result.h"

namespace sidrec::cli {

inline constexpr std::string_view kLibrary = "libsidrec.so";
inline constexpr std::string_view kRecorder = "sidrec-recorder";  // looked for beside the library

// Its absolute path.
Result<std::string> find_library();

}  // namespace sidrec::cli
