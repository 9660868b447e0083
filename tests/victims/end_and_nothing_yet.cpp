// A non-blocking host reads by every call: EAGAIN while nothing has come, 0 at the end, as often as it asks.
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  make_nonblocking(c.fd);
  char buffer[16];
  iovec part{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const auto read_by = [&](int call) {
    switch (call) {
      case 0: return ::read(c.fd, buffer, sizeof buffer);
      case 1: return ::recv(c.fd, buffer, sizeof buffer, 0);
      case 2: return ::readv(c.fd, &part, 1);
      case 3: return ::recvfrom(c.fd, buffer, sizeof buffer, 0, nullptr, nullptr);
      default: return ::recvmsg(c.fd, &message, 0);
    }
  };

  for (int call = 0; call < 10; ++call)
    expect_error("read before the first byte", EAGAIN, [&] { return read_by(call % 5); });
  for (int call = 0; call < 5; ++call) {
    c.client_sends("x");
    c.takes("read of one byte", "x", buffer, [&] { return read_by(call); });
    expect_error("read after it", EAGAIN, [&] { return read_by(call); });
  }
  ::shutdown(c.client, SHUT_WR);
  check("the end arrives", await([&] { return ::recv(c.fd, buffer, 1, MSG_PEEK) == 0; }));
  for (int call = 0; call < 10; ++call) expect("read at the end", 0, [&] { return read_by(call % 5); });
  c.gives("write after the client's end", "bye", [&] { return ::write(c.fd, "bye", 3); });
  close_host_end(c);
  return finish();
}
