// MSG_PEEK by every call that knows it leaves the bytes where they are: they count once, when they are consumed.
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  char buffer[32];
  iovec part{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  mmsghdr several{};
  several.msg_hdr = message;

  c.client_sends("looked at often");
  expect("recv MSG_PEEK", 15, [&] { return ::recv(c.fd, buffer, sizeof buffer, MSG_PEEK); });
  expect("recvfrom MSG_PEEK", 15, [&] { return ::recvfrom(c.fd, buffer, sizeof buffer, MSG_PEEK, nullptr, nullptr); });
  expect("recvmsg MSG_PEEK", 15, [&] { return ::recvmsg(c.fd, &message, MSG_PEEK); });
  expect("recvmmsg MSG_PEEK", 1, [&] { return ::recvmmsg(c.fd, &several, 1, MSG_PEEK, nullptr); });
  expect("recv MSG_PEEK | MSG_TRUNC", 15, [&] { return ::recv(c.fd, buffer, sizeof buffer, MSG_PEEK | MSG_TRUNC); });
  c.takes("read of part", "looked ", buffer, [&] { return ::read(c.fd, buffer, 7); });
  expect("recv MSG_PEEK of the rest", 8, [&] { return ::recv(c.fd, buffer, sizeof buffer, MSG_PEEK); });
  c.takes("recv of the rest", "at often", buffer, [&] { return ::recv(c.fd, buffer, sizeof buffer, 0); });
  expect_error("recv MSG_PEEK of nothing", EAGAIN,
               [&] { return ::recv(c.fd, buffer, sizeof buffer, MSG_PEEK | MSG_DONTWAIT); });
  close_host_end(c);
  return finish();
}
