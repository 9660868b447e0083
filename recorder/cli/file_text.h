// A small file as a whole, also one of /proc or /sys that answers some reads with an error.
#pragma once

#include <string>

namespace sidrec::cli {

// "" if it is not there or cannot be read.
std::string file_text(const std::string& path);

}  // namespace sidrec::cli
