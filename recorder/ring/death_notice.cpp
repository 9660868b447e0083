#include "recorder/ring/death_notice.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace sidrec {

DeathNotice::DeathNotice(std::atomic<uint32_t>& word) {
  node_.next = &head_.list;
  head_.list.next = &node_;
  head_.futex_offset = reinterpret_cast<char*>(&word) - reinterpret_cast<char*>(&node_);
  word.store(static_cast<uint32_t>(::gettid()), std::memory_order_seq_cst);
  ::syscall(SYS_set_robust_list, &head_, sizeof head_);
}

DeathNotice::~DeathNotice() {
  head_.list.next = &head_.list;
  ::syscall(SYS_set_robust_list, &head_, sizeof head_);
}

}  // namespace sidrec
