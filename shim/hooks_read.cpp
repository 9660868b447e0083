// What a process takes from a client: read, recv and their kin.
#include "shim/control_data.h"
#include "shim/hook.h"
#include "shim/ssh.h"

using namespace sidrec;

namespace {

// Input that leaves the stream where it was (peek) or is not of the stream (error queue, urgent data): recv(2).
constexpr int kNotStream = MSG_PEEK | MSG_ERRQUEUE | MSG_OOB;

bool takes_stream(int fd, int flags) { return is_client(fd) && !(flags & kNotStream); }

// `r` is the result of a call with room for `room` bytes.
void took(const Subject& subject, const void* buffer, size_t room, int flags, ssize_t r) {
  if (r > 0) {
    if (flags & MSG_TRUNC) {  // on TCP the bytes are thrown away, the buffer is not written: tcp(7)
      passed_unseen(subject, ring::kIn, static_cast<size_t>(r), ring::kDiscarded);
    } else {
      captured(subject, ring::kIn, buffer, static_cast<size_t>(r));
    }
  } else if (r == 0 && room > 0) {
    saw_eof(subject);
  }
}

bool has_room(const iovec* iov, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (iov[i].iov_len > 0) return true;
  }
  return false;
}

void took(const Subject& subject, const iovec* iov, size_t count, int flags, ssize_t r) {
  if (r > 0) {
    if (flags & MSG_TRUNC) {
      passed_unseen(subject, ring::kIn, static_cast<size_t>(r), ring::kDiscarded);
    } else {
      captured(subject, ring::kIn, iov, count, static_cast<size_t>(r));
    }
  } else if (r == 0 && has_room(iov, count)) {
    saw_eof(subject);
  }
}

// Every receive installs new descriptors, a peek too: unix(7).
void took_descriptors(const msghdr& message) {
  if (__builtin_expect(message.msg_controllen > 0, 0)) {
    for_each_passed_fd(message, [](int fd) {
      if (in_vfork_child()) return;
      born_passed(fd);
      if (is_ssh_host()) ssh_received(fd);
    });
  }
}

// A call that is recorded. Not inlined: the hook in front of it then has no frame to make where nothing is recorded.
// `rest`: what the libc function takes behind the buffer and its size.
template <auto Real::*function, typename... Rest>
[[gnu::noinline]] ssize_t take(int fd, void* buffer, size_t n, int flags, Rest... rest) {
  const Subject subject = begin(fd);
  if (subject.is_cut()) return 0;
  const ssize_t r = (real().*function)(fd, buffer, n, rest...);
  took(subject, buffer, n, flags, r);
  return r;
}

[[gnu::noinline]] ssize_t take_vector(int fd, const iovec* iov, int count) {
  const Subject subject = begin(fd);
  if (subject.is_cut()) return 0;
  const ssize_t r = real().readv(fd, iov, count);
  if (r >= 0) took(subject, iov, static_cast<size_t>(count), 0, r);
  return r;
}

}  // namespace

SIDREC_EXPORT ssize_t read(int fd, void* buffer, size_t n) {
  if (!is_client(fd)) return real().read(fd, buffer, n);
  return take<&Real::read>(fd, buffer, n, 0);
}

SIDREC_EXPORT ssize_t __read_chk(int fd, void* buffer, size_t n, size_t size) {
  if (!is_client(fd)) return real().__read_chk(fd, buffer, n, size);
  return take<&Real::__read_chk>(fd, buffer, n, 0, size);
}

SIDREC_EXPORT ssize_t readv(int fd, const iovec* iov, int count) {
  if (!is_client(fd)) return real().readv(fd, iov, count);
  return take_vector(fd, iov, count);
}

SIDREC_EXPORT ssize_t recv(int fd, void* buffer, size_t n, int flags) {
  if (!takes_stream(fd, flags)) return real().recv(fd, buffer, n, flags);
  return take<&Real::recv>(fd, buffer, n, flags, flags);
}

SIDREC_EXPORT ssize_t __recv_chk(int fd, void* buffer, size_t n, size_t size, int flags) {
  if (!takes_stream(fd, flags)) return real().__recv_chk(fd, buffer, n, size, flags);
  return take<&Real::__recv_chk>(fd, buffer, n, flags, size, flags);
}

SIDREC_EXPORT ssize_t recvfrom(int fd, void* buffer, size_t n, int flags, sockaddr* addr, socklen_t* len) {
  if (!takes_stream(fd, flags)) return real().recvfrom(fd, buffer, n, flags, addr, len);
  return take<&Real::recvfrom>(fd, buffer, n, flags, flags, addr, len);
}

SIDREC_EXPORT ssize_t __recvfrom_chk(int fd, void* buffer, size_t n, size_t size, int flags, sockaddr* addr,
                                     socklen_t* len) {
  if (!takes_stream(fd, flags)) return real().__recvfrom_chk(fd, buffer, n, size, flags, addr, len);
  return take<&Real::__recvfrom_chk>(fd, buffer, n, flags, size, flags, addr, len);
}

SIDREC_EXPORT ssize_t recvmsg(int fd, msghdr* message, int flags) {
  const Subject subject = takes_stream(fd, flags) ? begin(fd) : Subject{};
  if (subject.is_cut()) return 0;
  const ssize_t r = real().recvmsg(fd, message, flags);
  if (r < 0) return r;
  if (subject) took(subject, message->msg_iov, message->msg_iovlen, flags, r);
  took_descriptors(*message);
  return r;
}

SIDREC_EXPORT int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  const Subject subject = takes_stream(fd, flags) ? begin(fd) : Subject{};
  if (subject.is_cut()) return 0;
  const int r = real().recvmmsg(fd, messages, count, flags, timeout);
  for (int i = 0; i < r; ++i) {
    const msghdr& message = messages[i].msg_hdr;
    if (subject) took(subject, message.msg_iov, message.msg_iovlen, flags, static_cast<ssize_t>(messages[i].msg_len));
    took_descriptors(message);
  }
  return r;
}
