#include "shim/spare.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "shim/ring_layout.h"
#include "shim/sys.h"
#include "shim/text.h"

namespace sidrec {
namespace {

bool is_ours(long socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const long asked = sys::call(SYS_getsockopt, socket, SOL_SOCKET, SO_PEERCRED, sys::arg(&peer), sys::arg(&size));
  return asked == 0 && peer.uid == static_cast<uid_t>(sys::call(SYS_geteuid));
}

bool hand_to(uint32_t slot, uint64_t service, const char* ring_path) {
  Text<64> name;
  name << ring::kSpare;
  name.hex(service, 16);
  name << "-" << uint64_t{slot};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + 1, name.c_str(), name.size());  // abstract, unix(7)
  const long size = static_cast<long>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const long socket = sys::call(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return false;
  const auto length = static_cast<long>(strlen(ring_path));
  const bool handed = sys::call(SYS_connect, socket, sys::arg(&address), size) == 0 && is_ours(socket) &&
                      sys::call(SYS_sendto, socket, sys::arg(ring_path), length, MSG_NOSIGNAL) == length;
  sys::call(SYS_close, socket);
  return handed;
}

}  // namespace

bool hand_to_spare(uint64_t service, const char* ring_path) {
  for (uint32_t slot = 0; slot < ring::kSpares; ++slot) {
    if (hand_to(slot, service, ring_path)) return true;
  }
  return false;
}

}  // namespace sidrec
