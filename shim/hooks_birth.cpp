// Where descriptors are born: accept, listen, connect, socket, pipe.
#include <cerrno>

#include "shim/hook.h"

using namespace sidrec;

namespace {

int accepted(int fd) {
  if (fd >= 0 && !in_vfork_child()) born_client(fd, ring::kAccept);
  return fd;
}

void both_untracked(const int fds[2]) {
  newborn_untracked(fds[0]);
  newborn_untracked(fds[1]);
}

}  // namespace

SIDREC_EXPORT int accept(int fd, sockaddr* addr, socklen_t* len) { return accepted(real().accept(fd, addr, len)); }

SIDREC_EXPORT int accept4(int fd, sockaddr* addr, socklen_t* len, int flags) {
  return accepted(real().accept4(fd, addr, len, flags));
}

SIDREC_EXPORT int listen(int fd, int backlog) noexcept {
  const int r = real().listen(fd, backlog);
  if (r == 0 && !in_vfork_child()) born_listener(fd);
  return r;
}

// A socket that connects is never a client. Afterwards and only then: a real client's connect fails with EISCONN.
SIDREC_EXPORT int connect(int fd, const sockaddr* addr, socklen_t len) {
  const int r = real().connect(fd, addr, len);
  if (is_tracked(fd) && (r == 0 || errno == EINPROGRESS || errno == EALREADY || errno == EINTR)) newborn_untracked(fd);
  return r;
}

SIDREC_EXPORT int socket(int domain, int type, int protocol) noexcept {
  const int fd = real().socket(domain, type, protocol);
  newborn_untracked(fd);
  return fd;
}

SIDREC_EXPORT int socketpair(int domain, int type, int protocol, int fds[2]) noexcept {
  const int r = real().socketpair(domain, type, protocol, fds);
  if (r == 0) both_untracked(fds);
  return r;
}

SIDREC_EXPORT int pipe(int fds[2]) noexcept {
  const int r = real().pipe(fds);
  if (r == 0) both_untracked(fds);
  return r;
}

SIDREC_EXPORT int pipe2(int fds[2], int flags) noexcept {
  const int r = real().pipe2(fds, flags);
  if (r == 0) both_untracked(fds);
  return r;
}
