// Status: what the live masters of a run directory say of themselves. What `sidrec status` does, with the recorder's
// own rights: a master answers its own user only.
#pragma once

#include <string>

namespace sidrec {

// Writes a line for each to standard output, as its master gave it (docs/link-protocol.md). A master that does not
// answer within 2 s is named on standard error, and the result is false.
bool show_status(const std::string& run_dir);

}  // namespace sidrec
