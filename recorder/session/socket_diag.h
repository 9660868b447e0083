// SocketDiag: asks the kernel whether any process holds a TCP connection (sock_diag(7)), for a recorder whose host
// may have given copies of a descriptor to processes that nobody records. Needs no privileges. Used from one thread.
#pragma once

#include <cstdint>

#include "recorder/base/unique_fd.h"
#include "recorder/event/event.h"

namespace sidrec {

class SocketDiag {
 public:
  // False when the kernel knows no such connection (exactly these ends, this cookie) or no process holds it. True
  // when it cannot be asked: then the end of the host tells.
  bool is_held(uint64_t cookie, const ConnOpen& open);

 private:
  UniqueFd socket_;
};

}  // namespace sidrec
