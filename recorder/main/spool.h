// Spool: one SID's events that must wait for its master, in a file of the run directory, so that they hold up no
// other SID in the ring (DESIGN D8). Whole events, first in, first out. What is read stays in the file until it is
// committed (D7):
//
//   begin: the oldest event not committed      read: the next to be sent      end
//
// The file is this recorder's alone (O_EXCL, 0600), appears with the first append and goes when all of it is
// committed, or with the object. A file of that name that is there already was left by a recorder of the same ring: it
// is taken over, and replaced by the first append, whole or not at all. Its first page says where the oldest event is
// (8 bytes, as of the last page that was given back: what is before it may come twice, and is recognised by its
// identity).
#pragma once

#include <cstdint>
#include <span>
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
  ~Spool() {
    if (!kept_) remove();
  }

  // The events that a recorder before us has left; they stay in the file until remove() or the first append().
  Result<std::string> take_over();
  // The pieces, one behind another, but for the first `skip` bytes. After an error nothing of them is in the file.
  Result<void> append(std::span<const std::string_view> pieces, uint64_t skip);
  // The next whole events, at most `most_bytes` of them.
  Result<std::string> read(size_t most_bytes);
  // The oldest `bytes` are committed.
  void committed(uint64_t bytes);
  // Reading goes on `bytes` after the oldest event not committed.
  void read_from(uint64_t bytes) { read_ = begin_ + bytes; }
  void remove();
  // The file stays when the object goes.
  void keep() { kept_ = true; }

  uint64_t bytes() const { return end_ - begin_; }
  uint64_t unread_bytes() const { return end_ - read_; }

 private:
  std::string new_path() const { return path_ + ".new"; }
  Result<void> open();
  Result<void> write_at_end(std::span<const std::string_view> pieces, uint64_t skip);
  Result<void> read_at(uint64_t at, std::string& bytes) const;

  std::string directory_;
  std::string path_;
  UniqueFd fd_;
  bool kept_ = false;
  uint64_t inherited_ = 0;  // bytes that a recorder before us has left, and that are not committed
  uint64_t begin_ = 0;
  uint64_t read_ = 0;
  uint64_t end_ = 0;
};

}  // namespace sidrec
