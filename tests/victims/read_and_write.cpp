// read and write: whole, in parts, of nothing, of text and of bytes that are not.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  char buffer[64];

  c.client_sends("hello, recorder\n");
  c.takes("read", "hello, recorder\n", buffer, [&] { return ::read(c.fd, buffer, sizeof buffer); });
  expect("read of nothing", 0, [&] { return ::read(c.fd, buffer, 0); });

  const std::string binary = std::string("\xff\xfe\0\x80", 4) + "caf\xc3\xa9 \xc3";
  c.client_sends(binary);
  c.takes("read in parts", binary.substr(0, 9), buffer, [&] { return ::read(c.fd, buffer, 9); });
  c.takes("read the rest", binary.substr(9), buffer, [&] { return ::read(c.fd, buffer, sizeof buffer); });

  c.gives("write", "hello, client \"\\\x01\x7f", [&] { return ::write(c.fd, "hello, client \"\\\x01\x7f", 18); });
  expect("write of nothing", 0, [&] { return ::write(c.fd, buffer, 0); });
  c.gives("write of bytes", binary, [&] { return ::write(c.fd, binary.data(), binary.size()); });

  ::shutdown(c.client, SHUT_WR);
  expect("read at the end", 0, [&] { return ::read(c.fd, buffer, sizeof buffer); });
  close_host_end(c);
  return finish();
}
