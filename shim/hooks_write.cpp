// What a process gives to a client: write, send and their kin. Urgent data (MSG_OOB) is sent as part of the stream.
#include "shim/control_data.h"
#include "shim/hook.h"

using namespace sidrec;

namespace {

constexpr unsigned kMaxMessages = 1024;  // what the kernel takes of one sendmmsg (UIO_MAXIOV)

void gave(const Subject& subject, const void* buffer, ssize_t r) {
  if (r > 0) captured(subject, ring::kOut, buffer, static_cast<size_t>(r));
}

void gave(const Subject& subject, const iovec* iov, size_t count, ssize_t r) {
  if (r > 0) captured(subject, ring::kOut, iov, count, static_cast<size_t>(r));
}

void gives_descriptors(const msghdr& message) {
  if (__builtin_expect(message.msg_controllen == 0, 1)) return;
  for_each_passed_fd(message, [](int fd) {
    if (is_client(fd)) given_away(fd);
  });
}

}  // namespace

SIDREC_EXPORT ssize_t write(int fd, const void* buffer, size_t n) {
  if (!is_client(fd)) return real().write(fd, buffer, n);
  const Subject subject = begin_write(fd);
  if (subject.is_cut()) return cut_off();
  const ssize_t r = real().write(fd, buffer, n);
  gave(subject, buffer, r);
  return r;
}

SIDREC_EXPORT ssize_t writev(int fd, const iovec* iov, int count) {
  if (!is_client(fd)) return real().writev(fd, iov, count);
  const Subject subject = begin_write(fd);
  if (subject.is_cut()) return cut_off();
  const ssize_t r = real().writev(fd, iov, count);
  gave(subject, iov, static_cast<size_t>(count), r);
  return r;
}

SIDREC_EXPORT ssize_t send(int fd, const void* buffer, size_t n, int flags) {
  if (!is_client(fd)) return real().send(fd, buffer, n, flags);
  const Subject subject = begin_write(fd);
  if (subject.is_cut()) return cut_off();
  const ssize_t r = real().send(fd, buffer, n, flags);
  gave(subject, buffer, r);
  return r;
}

SIDREC_EXPORT ssize_t sendto(int fd, const void* buffer, size_t n, int flags, const sockaddr* addr, socklen_t len) {
  if (!is_client(fd)) return real().sendto(fd, buffer, n, flags, addr, len);
  const Subject subject = begin_write(fd);
  if (subject.is_cut()) return cut_off();
  const ssize_t r = real().sendto(fd, buffer, n, flags, addr, len);
  gave(subject, buffer, r);
  return r;
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
