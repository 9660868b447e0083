// Writes records into the lanes of the process's ring.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shim/ring_layout.h"

namespace sidrec {

// A cursor over the host's bytes.
class Bytes {
 public:
  Bytes(const iovec* iov, size_t count) : iov_(iov), count_(count) {}
  // Copies the next n bytes; the caller knows that they are there.
  void copy(char* to, size_t n) {
    if (count_ == 0 || n > iov_->iov_len - used_) return copy_pieces(to, n);
    memcpy(to, static_cast<const char*>(iov_->iov_base) + used_, n);
    used_ += n;
  }

 private:
  void copy_pieces(char* to, size_t n);

  const iovec* iov_;
  size_t count_;
  size_t used_ = 0;  // of *iov_
};

// How long one hooked call may still wait for room, all its records together. Starts at the first wait.
struct Patience {
  uint64_t deadline_ns = 0;
};

// Appends one record; its time_ns comes in as the beginning of a write, or 0. False when there is no lane or no room
// within the patience: nothing was written, and `from` has not moved. `payload` must not exceed most_payload().
bool write_record(ring::Header* ring, const ring::RecordHeader& record, Bytes& from, Patience& patience);

// The largest payload of one record: a call's bytes are cut so that a lane always holds several.
size_t most_payload();

}  // namespace sidrec
