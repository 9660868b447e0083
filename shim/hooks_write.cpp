// What a process gives to a client: write, send and their kin. Urgent data (MSG_OOB) is sent as part of the stream.
#include "shim/control_data.h"
#include "shim/hook.h"

using namespace sidrec;

namespace {

constexpr unsigned kMaxMessages = 1024;  // what the kernel takes of one sendmmsg (UIO_MAXIOV)

void gave(const Subject& subject, const iovec* iov, size_t count, ssize_t r) {
  if (r > 0) captured(subject, ring::kOut, iov, count, static_cast<size_t>(r));
}

void gives_descriptors(const msghdr& message) {
  if (__builtin_expect(message.msg_controllen == 0, 1)) return;
  for_each_passed_fd(message, [](int fd) {
    if (is_client(fd)) given_away(fd);
  });
}

// A call that is recorded, apart from its hook as those that read. `rest`: what the libc function takes behind these.
template <auto Real::*function, typename... Rest>
[[gnu::noinline]] ssize_t give(int fd, const void* buffer, size_t n, Rest... rest) {
  const Subject subject = begin_write(fd);
  if (subject.is_cut()) return cut_off();
  const ssize_t r = (real().*function)(fd, buffer, n, rest...);
  if (r > 0) captured(subject, ring::kOut, buffer, static_cast<size_t>(r));
  return r;
}

[[gnu::noinline]] ssize_t give_vector(int fd, const iovec* iov, int count) {
  const Subject subject = begin_write(fd);
  if (subject.is_cut()) return cut_off();
  const ssize_t r = real().writev(fd, iov, count);
  gave(subject, iov, static_cast<size_t>(count), r);
  return r;
}

}  // namespace

SIDREC_EXPORT ssize_t write(int fd, const void* buffer, size_t n) {
  if (!is_client(fd)) return real().write(fd, buffer, n);
  return give<&Real::write>(fd, buffer, n);
}

SIDREC_EXPORT ssize_t writev(int fd, const iovec* iov, int count) {
  if (!is_client(fd)) return real().writev(fd, iov, count);
  return give_vector(fd, iov, count);
}

SIDREC_EXPORT ssize_t send(int fd, const void* buffer, size_t n, int flags) {
  if (!is_client(fd)) return real().send(fd, buffer, n, flags);
  return give<&Real::send>(fd, buffer, n, flags);
}

SIDREC_EXPORT ssize_t sendto(int fd, const void* buffer, size_t n, int flags, const sockaddr* addr, socklen_t len) {
  if (!is_client(fd)) return real().sendto(fd, buffer, n, flags, addr, len);
  return give<&Real::sendto>(fd, buffer, n, flags, addr, len);
}

SIDREC_EXPORT ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (!is_client(fd)) {
    if (message && tracked_count() > 0) gives_descriptors(*message);
    return real().sendmsg(fd, message, flags);
  }
  const Subject subject = begin_write(fd);
  if (subject.is_cut()) return cut_off();
  const ssize_t r = real().sendmsg(fd, message, flags);
  if (r > 0) gave(subject, message->msg_iov, message->msg_iovlen, r);
  return r;
}

SIDREC_EXPORT int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  if (!is_client(fd)) {
    if (messages && tracked_count() > 0) {
      for (unsigned i = 0; i < count && i < kMaxMessages; ++i) gives_descriptors(messages[i].msg_hdr);
    }
    return real().sendmmsg(fd, messages, count, flags);
  }
  const Subject subject = begin_write(fd);
  if (subject.is_cut()) return cut_off();
  const int r = real().sendmmsg(fd, messages, count, flags);
  for (int i = 0; i < r; ++i) {
    const msghdr& message = messages[i].msg_hdr;
    gave(subject, message.msg_iov, message.msg_iovlen, static_cast<ssize_t>(messages[i].msg_len));
  }
  return r;
}
