// Will the places do that a recorded program needs: audit and run directory, and the recorder beside the library?
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "recorder/cli/finding.h"
#include "recorder/cli/identity.h"
#include "recorder/cli/recorder_file.h"

namespace sidrec::cli {

enum class Directory { kAudit, kRun };

struct DirectoryWords {
  const char* check;     // "audit directory"
  const char* variable;  // "SIDREC_AUDIT_DIR"
};
DirectoryWords words_of(Directory which);

// `root`: prefix under which the program sees its files, "" for this command's own view.
void check_directory(Findings& findings, Directory which, const std::string& path, const Identity& who,
                     const std::string& root = {});
// Who must be able to write in `path`: the recorder's own user, but root makes what is not there yet for it.
Identity writer_of(const RecorderFile& recorder, const Identity& starter, const std::string& path,
                   const std::string& root = {});
// What can be said of it whoever uses it: free space, its file system, who else may write.
void check_file_system(Findings& findings, Directory which, const std::string& path, const std::string& root = {});

// RLIMIT_FSIZE, which counts for rings as for trails; `named` begins the sentence.
void check_file_size_limit(Findings& findings, uint64_t limit, const std::string& named);

void check_recorder(Findings& findings, const std::string& library, const Identity& who, const std::string& root = {});
// The file or directory that keeps `who` from writing in `path`, which need not be there yet.
std::optional<std::string> obstacle_to_writing(const std::string& path, const Identity& who);

}  // namespace sidrec::cli
