// The libc functions behind our hooks, found with dlsym(RTLD_NEXT).
//
// Hooks can run before our constructor (another library's constructor may do I/O): so every hook goes through
// real(), which looks the functions up on first use. That first use is never inside a signal handler, because the
// constructor has run before main installs one.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" {
ssize_t __read_chk(int, void*, size_t, size_t);
ssize_t __recv_chk(int, void*, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void*, size_t, size_t, int, sockaddr*, socklen_t*);
void _Exit(int) noexcept __attribute__((noreturn));
pid_t _Fork(void) noexcept;
}

// clang-format off
#define SIDREC_HOOKED(X)                                                                                          \
  X(accept) X(accept4) X(listen) X(connect) X(socket) X(socketpair) X(pipe) X(pipe2)                              \
  X(read) X(readv) X(recv) X(recvfrom) X(recvmsg) X(recvmmsg) X(__read_chk) X(__recv_chk) X(__recvfrom_chk)       \
  X(write) X(writev) X(send) X(sendto) X(sendmsg) X(sendmmsg) X(sendfile) X(sendfile64) X(splice)                 \
  X(close) X(close_range) X(closefrom) X(fclose) X(shutdown) X(dup) X(dup2) X(dup3) X(fcntl) X(fcntl64)           \
  X(chroot) X(setgid) X(setegid) X(setregid) X(setresgid) X(setgroups) X(initgroups)                              \
  X(setuid) X(seteuid) X(setreuid) X(setresuid) X(prctl) X(_exit) X(_Exit) X(quick_exit)                   \
  X(_Fork) X(posix_spawn) X(posix_spawnp) X(openpty) X(ioctl)
// clang-format on

namespace sidrec {

struct Real {
#define X(name) decltype(&::name) name;
  SIDREC_HOOKED(X)
#undef X
  bool resolved;
};

extern Real g_real;
void resolve_real();

inline const Real& real() {
  if (__builtin_expect(!g_real.resolved, 0)) resolve_real();
  return g_real;
}

}  // namespace sidrec
