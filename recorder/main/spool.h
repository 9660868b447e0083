// Spool: one SID's events that must wait for its master, in a file of the run directory, so that they hold up no
// other SID in the ring (DESIGN D8). Whole events, first in, first out.
//
// The file is this recorder's alone (O_EXCL, 0600), appears with the first append and goes when it is empty, or with
// the object. A file of that name that is there already was left by a recorder of the same ring and is replaced.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "recorder/base/result.h"
#include "recorder/base/unique_fd.h"

namespace sidrec {

class Spool {
 public:
  Spool(const std::string& run_dir, const std::string& ring_id, const std::string& sid);
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool() { remove(); }

  // After an error nothing of `events` is in the file.
  Result<void> append(std::string_view events);
  // Whole events from the front, at most `most_bytes` of them; they are no longer in the spool then.
  Result<std::string> take_front(size_t most_bytes);
  void remove();

  uint64_t bytes() const { return end_ - begin_; }

 private:
  Result<void> open();

  std::string directory_;
  std::string path_;
  UniqueFd fd_;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

}  // namespace sidrec
