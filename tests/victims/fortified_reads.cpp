// read, recv and recvfrom of a program built with _FORTIFY_SOURCE: they become __read_chk, __recv_chk, __recvfrom_chk
// where the buffer's size is known and the length is not. The test looks at this file's symbols first.
#include "tests/victims/loopback.h"

using namespace victim;

static char buffer[48];

int main(int argc, char**) {
  const Loopback loopback;
  Connection& c = loopback.connect();
  const size_t size = static_cast<size_t>(argc) * 40;

  c.client_sends("through read");
  c.takes("__read_chk", "through read", buffer, [&] { return ::read(c.fd, buffer, size); });
  c.client_sends("through recv");
  c.takes("__recv_chk", "through recv", buffer, [&] { return ::recv(c.fd, buffer, size, 0); });
  c.client_sends("through recvfrom");
  c.takes("__recvfrom_chk", "through recvfrom", buffer,
          [&] { return ::recvfrom(c.fd, buffer, size, 0, nullptr, nullptr); });

  c.client_sends("peeked at");
  expect("__recv_chk MSG_PEEK", 9, [&] { return ::recv(c.fd, buffer, size, MSG_PEEK); });
  expect("__recvfrom_chk MSG_PEEK", 9, [&] { return ::recvfrom(c.fd, buffer, size, MSG_PEEK, nullptr, nullptr); });
  c.takes("__read_chk after peeking", "peeked at", buffer, [&] { return ::read(c.fd, buffer, size); });
  expect_error("__recv_chk of nothing", EAGAIN, [&] { return ::recv(c.fd, buffer, size, MSG_DONTWAIT); });
  expect_error("__recvfrom_chk of nothing", EAGAIN,
               [&] { return ::recvfrom(c.fd, buffer, size, MSG_DONTWAIT, nullptr, nullptr); });
  expect_error("__read_chk of a bad descriptor", EBADF, [&] { return ::read(-1, buffer, size); });
  c.gives("write", "done", [&] { return ::write(c.fd, "done", 4); });
  close_host_end(c);
  return finish();
}
