// StoreWatch: sleeps until something below a path may have changed (inotify(7)). For `tail -f`.
#pragma once

#include <string>

#include "recorder/base/unique_fd.h"

namespace sidrec::cli {

class StoreWatch {
 public:
  StoreWatch();

  // `path`, or the nearest directory above it that exists, in place of what was watched before. To be called before
  // the look whose result is waited on.
  void watch(const std::string& path);

  // Returns on a change, at the latest after a second: a change may come before the path it happens in is watched,
  // and some file systems (NFS) report none. Or when `also` can be read.
  // False when the reader of standard output has gone.
  bool wait(int also = -1);

 private:
  UniqueFd inotify_;
  int watched_ = -1;
  std::string path_;
};

}  // namespace sidrec::cli
