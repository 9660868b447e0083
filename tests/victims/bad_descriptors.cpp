// Every call on a number that is closed, a pipe, a listener: errors as without us, also where a client connection
// had that number before.
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

static char buffer[16];

static void expect_every_call_refused(int fd, int error) {
  iovec part{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  mmsghdr several{};
  several.msg_hdr = message;
  expect_error("recv", error, [&] { return ::recv(fd, buffer, 16, MSG_DONTWAIT); });
  expect_error("recvfrom", error, [&] { return ::recvfrom(fd, buffer, 16, MSG_DONTWAIT, nullptr, nullptr); });
  expect_error("recvmsg", error, [&] { return ::recvmsg(fd, &message, MSG_DONTWAIT); });
  expect_error("recvmmsg", error, [&] { return ::recvmmsg(fd, &several, 1, MSG_DONTWAIT, nullptr); });
  expect_error("send", error, [&] { return ::send(fd, buffer, 16, MSG_NOSIGNAL); });
  expect_error("sendto", error, [&] { return ::sendto(fd, buffer, 16, MSG_NOSIGNAL, nullptr, 0); });
  expect_error("sendmsg", error, [&] { return ::sendmsg(fd, &message, MSG_NOSIGNAL); });
  expect_error("sendmmsg", error, [&] { return ::sendmmsg(fd, &several, 1, MSG_NOSIGNAL); });
  expect_error("shutdown", error, [&] { return ::shutdown(fd, SHUT_RDWR); });
  expect_error("accept", error, [&] { return ::accept(fd, nullptr, nullptr); });
  expect_error("accept4", error, [&] { return ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC); });
  expect_error("listen", error, [&] { return ::listen(fd, 1); });
  sockaddr_in address{};
  address.sin_family = AF_INET;
  expect_error("connect", error, [&] { return ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address); });
}

static void expect_plain_calls_refused(int fd) {
  iovec part{buffer, sizeof buffer};
  expect_error("read", EBADF, [&] { return ::read(fd, buffer, 16); });
  expect_error("readv", EBADF, [&] { return ::readv(fd, &part, 1); });
  expect_error("write", EBADF, [&] { return ::write(fd, buffer, 16); });
  expect_error("writev", EBADF, [&] { return ::writev(fd, &part, 1); });
  expect_error("sendfile", EBADF, [&] { return ::sendfile(fd, 0, nullptr, 16); });
  expect_error("splice", EBADF, [&] { return ::splice(fd, nullptr, 1, nullptr, 16, 0); });
  expect_error("close", EBADF, [&] { return ::close(fd); });
  expect_error("dup", EBADF, [&] { return ::dup(fd); });
  expect_error("dup2", EBADF, [&] { return ::dup2(fd, 50); });
  expect_error("dup2 to itself", EBADF, [&] { return ::dup2(fd, fd); });
  expect_error("dup3", EBADF, [&] { return ::dup3(fd, 50, O_CLOEXEC); });
  expect_error("fcntl F_DUPFD", EBADF, [&] { return ::fcntl(fd, F_DUPFD, 0); });
  expect_error("fcntl F_GETFL", EBADF, [&] { return ::fcntl(fd, F_GETFL); });
}

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  Connection& closed = loopback.connect();
  exchange(closed, "before its close");
  close_host_end(closed);

  expect_every_call_refused(closed.fd, EBADF);
  expect_plain_calls_refused(closed.fd);
  for (const int fd : {-1, INT32_MAX, 1 << 24, -100}) {
    expect_every_call_refused(fd, EBADF);
    expect_plain_calls_refused(fd);
  }
  int ends[2];
  expect("pipe", 0, [&] { return ::pipe(ends); });
  expect_every_call_refused(ends[0], ENOTSOCK);
  expect_error("recv of a listener", ENOTCONN, [&] { return ::recv(loopback.fd, buffer, 16, 0); });
  expect_error("read of a listener", ENOTCONN, [&] { return ::read(loopback.fd, buffer, 16); });
  expect_error("write to a listener", EPIPE, [&] { return ::send(loopback.fd, buffer, 16, MSG_NOSIGNAL); });
  expect_error("accept of a connection", EINVAL, [&] { return ::accept(c.fd, nullptr, nullptr); });
  expect_error("connect of a connection", EISCONN, [&] {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getpeername(c.fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ::connect(c.fd, reinterpret_cast<sockaddr*>(&address), size);
  });
  expect_error("listen on a connection", EINVAL, [&] { return ::listen(c.fd, 1); });
  exchange(c, "after all refusals");
  close_host_end(c);
  return finish();
}
