#include "recorder/cli/recorder_file.h"

#include <sys/stat.h>

#include "recorder/cli/library.h"

namespace sidrec::cli {

RecorderFile RecorderFile::beside(const std::string& library, const std::string& root) {
  RecorderFile recorder;
  recorder.path = library.substr(0, library.rfind('/') + 1) + std::string(kRecorder);
  struct stat file {};
  if (::stat((root + recorder.path).c_str(), &file) != 0) return recorder;
  recorder.is_installed = (file.st_mode & S_ISUID) != 0 && file.st_uid != 0;
  if (recorder.is_installed) recorder.user = Identity{file.st_uid, file.st_gid, {}};
  return recorder;
}

}  // namespace sidrec::cli
