// close_range: a part of the table, with flags, of everything; then new sockets, which are recorded as ever.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& a = loopback.connect();
  exchange(a, "a");
  Connection& b = loopback.connect();
  exchange(b, "b");
  const unsigned a_fd = static_cast<unsigned>(a.fd), b_fd = static_cast<unsigned>(b.fd);

  expect_error("close_range backwards", EINVAL, [&] { return ::close_range(b_fd, a_fd, 0); });
  expect_error("close_range with unknown flags", EINVAL, [&] { return ::close_range(a_fd, b_fd, 1 << 10); });
  expect("close_range only marking", 0, [&] { return ::close_range(a_fd, b_fd, CLOSE_RANGE_CLOEXEC); });
  check("it marked", ::fcntl(a.fd, F_GETFD) == FD_CLOEXEC);
  exchange(a, "a was only marked");
  const Client client = loopback.dial();
  expect("close_range of one", 0, [&] { return ::close_range(a_fd, a_fd, 0); });
  a.ends_before.push_back(0);
  expect_error("write to it", EBADF, [&] { return ::write(a.fd, "x", 1); });
  exchange(b, "b is above");
  Connection& c = loopback.state(client, ::accept(loopback.fd, nullptr, nullptr));
  check("c takes a's number", c.fd == a.fd);
  a.ends_before.back() = c.client_port;
  exchange(c, "c");
  expect("close_range unsharing", 0, [&] { return ::close_range(b_fd, b_fd, CLOSE_RANGE_UNSHARE); });
  exchange(c, "c after unsharing");
  expect("close_range of a part without descriptors", 0, [&] { return ::close_range(5'000, 6'000, 0); });

  expect("close_range of all but the standard ones", 0, [&] { return ::close_range(3, ~0U, 0); });
  const Loopback again;
  Connection& d = again.connect();
  b.ends_before.push_back(d.client_port);
  c.ends_before.push_back(d.client_port);
  exchange(d, "d");
  close_host_end(d);
  return finish();
}
