#include "shim/spare.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "shim/ring_layout.h"
#include "shim/settings.h"
#include "shim/sys.h"
#include "shim/text.h"

namespace sidrec {
namespace {

bool is_recorders(long socket, uint64_t own_user) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const long asked = sys::call(SYS_getsockopt, socket, SOL_SOCKET, SO_PEERCRED, sys::arg(&peer), sys::arg(&size));
  return asked == 0 && peer.uid == (g_settings.recorder_uid ? g_settings.recorder_uid : own_user);
}

}  // namespace

long connect_to_spare(uint64_t service, uint32_t slot) {
  const auto own_user = static_cast<uint64_t>(sys::call(SYS_geteuid));
  Text<64> name;
  name << ring::kSpare << own_user << "-";
  name.hex(service, 16);
  name << "-" << uint64_t{slot};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + 1, name.c_str(), name.size());  // abstract, unix(7)
  const long size = static_cast<long>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const long socket = sys::call(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return socket;
  if (sys::call(SYS_connect, socket, sys::arg(&address), size) == 0 && is_recorders(socket, own_user)) return socket;
  sys::call(SYS_close, socket);
  return -1;
}

}  // namespace sidrec
