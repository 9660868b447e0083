// A non-blocking host fills its send buffer: each call takes what fits, then EAGAIN, and the client misses nothing.
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  const int small = 16 * 1024;
  ::setsockopt(c.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  make_nonblocking(c.fd);
  const std::string bytes = pattern(2 << 20, 5);
  std::string received;
  size_t sent = 0, short_writes = 0, refusals = 0;

  for (unsigned call = 0; sent < bytes.size(); ++call) {
    char* rest = const_cast<char*>(bytes.data()) + sent;
    const size_t left = bytes.size() - sent;
    iovec parts[2] = {{rest, left / 2}, {rest + left / 2, left - left / 2}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    errno = kUntouchedErrno;
    ssize_t result = -1;
    switch (call % 5) {
      case 0: result = ::write(c.fd, rest, left); break;
      case 1: result = ::send(c.fd, rest, left, MSG_NOSIGNAL); break;
      case 2: result = ::writev(c.fd, parts, 2); break;
      case 3: result = ::sendto(c.fd, rest, left, 0, nullptr, 0); break;
      case 4: result = ::sendmsg(c.fd, &message, 0); break;
    }
    if (result < 0) {
      if (errno != EAGAIN) failed("call %u: errno %d", call, errno);
      ++refusals;
      received += c.client_receives(std::min<size_t>(sent - received.size(), 200 * 1024));
      continue;
    }
    if (errno != kUntouchedErrno) failed("call %u: errno became %d", call, errno);
    short_writes += static_cast<size_t>(result) < left;
    sent += static_cast<size_t>(result);
  }
  c.produced(bytes);
  received += c.client_receives(bytes.size() - received.size());
  check("the client receives every byte", received == bytes);
  check("some writes were short", short_writes > 3);
  check("some writes were refused", refusals > 3);
  close_host_end(c);
  return finish();
}
