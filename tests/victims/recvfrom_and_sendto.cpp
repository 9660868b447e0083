// recvfrom and sendto on a connected socket, with and without addresses.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  char buffer[64];
  sockaddr_in address{};
  socklen_t size = sizeof address;

  c.client_sends("without an address");
  c.takes("recvfrom", "without an address", buffer,
          [&] { return ::recvfrom(c.fd, buffer, sizeof buffer, 0, nullptr, nullptr); });
  c.client_sends("with one");
  c.takes("recvfrom with address", "with one", buffer,
          [&] { return ::recvfrom(c.fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&address), &size); });
  observed("address_bytes", std::to_string(size));
  expect_error("recvfrom of nothing", EAGAIN,
               [&] { return ::recvfrom(c.fd, buffer, sizeof buffer, MSG_DONTWAIT, nullptr, nullptr); });

  c.gives("sendto", "without an address", [&] { return ::sendto(c.fd, "without an address", 18, 0, nullptr, 0); });
  size = sizeof address;
  expect("getpeername", 0, [&] { return ::getpeername(c.fd, reinterpret_cast<sockaddr*>(&address), &size); });
  c.gives("sendto with address", "with one",
          [&] { return ::sendto(c.fd, "with one", 8, MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size); });
  close_host_end(c);
  return finish();
}
