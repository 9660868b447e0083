// Where descriptors are born: accept, listen, connect, socket, pipe.
#include <cerrno>

#include "shim/hook.h"
#include "shim/ssh.h"

using namespace sidrec;

namespace {

int accepted(int listener, int fd, const void* caller) {
  if (fd < 0 || in_vfork_child()) return fd;
  if (!is_ssh_host() || !ssh_accepted(listener, fd, caller)) born_client(fd, ring::kAccept);
  return fd;
}

void both_untracked(const int fds[2]) {
  newborn_untracked(fds[0]);
  newborn_untracked(fds[1]);
}

}  // namespace

SIDREC_EXPORT int accept(int fd, sockaddr* addr, socklen_t* len) {
  return accepted(fd, real().accept(fd, addr, len), __builtin_return_address(0));
}

SIDREC_EXPORT int accept4(int fd, sockaddr* addr, socklen_t* len, int flags) {
  return accepted(fd, real().accept4(fd, addr, len, flags), __builtin_return_address(0));
}

SIDREC_EXPORT int listen(int fd, int backlog) noexcept {
  const int r = real().listen(fd, backlog);
  if (r == 0 && !in_vfork_child()) born_listener(fd);
  return r;
}

// A socket that connects is never a client. Afterwards and only then: a real client's connect fails with EISCONN.
SIDREC_EXPORT int connect(int fd, const sockaddr* addr, socklen_t len) {
  const int r = real().connect(fd, addr, len);
  const bool begun = r == 0 || errno == EINPROGRESS || errno == EALREADY || errno == EINTR;
  if (is_tracked(fd) && begun) newborn_untracked(fd);
  if (is_ssh_host() && begun) ssh_connected(fd, addr, len, __builtin_return_address(0));
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
  if (r == 0 && is_ssh_host()) ssh_made_pipe(fds, __builtin_return_address(0));
  return r;
}

SIDREC_EXPORT int pipe2(int fds[2], int flags) noexcept {
  const int r = real().pipe2(fds, flags);
  if (r == 0) both_untracked(fds);
  return r;
}
