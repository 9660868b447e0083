// DeathNotice: for as long as this thread lives, the ring says that it has a recorder; when the thread dies, however,
// the kernel itself says in the ring that it had one. For the recorder's main thread, once.
//
// set_robust_list(2), Documentation/locking/robust-futex-ABI.rst: the list's entries and its head are ours, only the
// word is in the ring, so that nothing a host writes there leads the kernel anywhere. It replaces the list of libc,
// which is for robust mutexes; a recorder has none.
#pragma once

#include <linux/futex.h>

#include <atomic>
#include <cstdint>

namespace sidrec {

class DeathNotice {
 public:
  explicit DeathNotice(std::atomic<uint32_t>& word);
  DeathNotice(const DeathNotice&) = delete;
  DeathNotice& operator=(const DeathNotice&) = delete;
  // The thread lives on without the ring: nothing is said.
  ~DeathNotice();

 private:
  robust_list_head head_{};
  robust_list node_{};
};

}  // namespace sidrec
