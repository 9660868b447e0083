// accept and accept4 with and without addresses and flags, from a listener that was listened on twice, and dup'd.
#include "tests/victims/loopback.h"

using namespace victim;

static bool has_flags(int fd, int status, int descriptor) {
  return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == status && ::fcntl(fd, F_GETFD) == descriptor;
}

int main() {
  const Loopback loopback;
  sockaddr_in address{};
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);

  Client client = loopback.dial();
  Connection& plain = loopback.state(client, ::accept(loopback.fd, any, &size));
  check("accept names the client", size == sizeof address && ntohs(address.sin_port) == client.port);
  check("accept gives no flags", has_flags(plain.fd, 0, 0));
  exchange(plain, "accept");

  client = loopback.dial();
  size = 4;
  address = {};
  Connection& cut = loopback.state(client, ::accept4(loopback.fd, any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  check("accept4 cuts the address",
        size == sizeof address && ntohs(address.sin_port) == client.port && address.sin_addr.s_addr == 0);
  check("accept4 gives its flags", has_flags(cut.fd, O_NONBLOCK, FD_CLOEXEC));
  exchange(cut, "accept4");

  expect("listen again", 0, [&] { return ::listen(loopback.fd, 5); });
  Connection& again = loopback.connect();
  exchange(again, "listened twice");
  expect_error("accept4 with unknown flags", EINVAL, [&] { return ::accept4(loopback.fd, nullptr, nullptr, 1 << 20); });
  const int copy = ::dup(loopback.fd);
  client = loopback.dial();
  Connection& by_copy = loopback.state(client, ::accept(copy, nullptr, nullptr));
  exchange(by_copy, "by a copy of the listener");
  make_nonblocking(copy);
  expect_error("accept of nobody", EAGAIN, [&] { return ::accept(loopback.fd, nullptr, nullptr); });
  expect_error("accept4 of nobody", EAGAIN, [&] { return ::accept4(copy, nullptr, nullptr, SOCK_CLOEXEC); });
  expect("close of the listener", 0, [&] { return ::close(loopback.fd); });
  client = loopback.dial();
  Connection& last = loopback.state(client, ::accept4(copy, nullptr, nullptr, 0));
  exchange(last, "the listener's number is gone");
  for (Connection* c : {&plain, &cut, &again, &by_copy, &last}) close_host_end(*c);
  return finish();
}
