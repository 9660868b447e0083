// recv and send with the flags servers use.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  char buffer[64];

  c.client_sends("first, ");
  c.takes("recv", "first, ", buffer, [&] { return ::recv(c.fd, buffer, sizeof buffer, 0); });
  expect_error("recv MSG_DONTWAIT of nothing", EAGAIN, [&] { return ::recv(c.fd, buffer, 9, MSG_DONTWAIT); });
  c.client_sends("second, ");
  c.takes("recv MSG_DONTWAIT", "second, ", buffer, [&] { return ::recv(c.fd, buffer, sizeof buffer, MSG_DONTWAIT); });
  c.client_sends("thi");
  c.client_sends("rd and more");
  c.takes("recv MSG_WAITALL", "third", buffer, [&] { return ::recv(c.fd, buffer, 5, MSG_WAITALL); });
  c.takes("recv the rest", " and more", buffer, [&] { return ::recv(c.fd, buffer, sizeof buffer, 0); });
  expect_error("recv of no bytes", EAGAIN, [&] { return ::recv(c.fd, buffer, 0, MSG_DONTWAIT); });

  c.gives("send", "one, ", [&] { return ::send(c.fd, "one, ", 5, 0); });
  c.gives("send MSG_NOSIGNAL", "two, ", [&] { return ::send(c.fd, "two, ", 5, MSG_NOSIGNAL); });
  expect("send MSG_MORE", 7, [&] { return ::send(c.fd, "three, ", 7, MSG_MORE); });
  expect("send MSG_DONTWAIT", 4, [&] { return ::send(c.fd, "four", 4, MSG_DONTWAIT); });
  c.produced("three, four");
  check("the client receives what MSG_MORE held back", c.client_receives(11) == "three, four");
  expect("send of nothing", 0, [&] { return ::send(c.fd, buffer, 0, 0); });
  close_host_end(c);
  return finish();
}
