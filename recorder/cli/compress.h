// Compresses a segment that is written no more (zstd), as compressed_file.h reads it. For `sidrec prune`: a process of
// its own, so that no recorder waits for it.
#pragma once

#include <string>

#include "recorder/base/result.h"

namespace sidrec::cli {

// `path`.zst takes the place of `path`, with its owner, mode and times. Until it is whole, compared with the original
// and on the disk, nothing is changed; a death in between leaves a `path`.zst.new, or both, and readers take the plain.
Result<void> compress_file(const std::string& path);

}  // namespace sidrec::cli
