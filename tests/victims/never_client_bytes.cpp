// What passes over connect, socketpair, pipe and pipe2 is no client's: it is not recorded, while a client's is.
#include "tests/victims/loopback.h"

using namespace victim;

static void pass_bytes(int from, int to) {
  char buffer[32];
  expect("write of the host's own bytes", 11, [&] { return ::write(from, "not a client", 11); });
  expect("read of the host's own bytes", 11, [&] { return ::read(to, buffer, sizeof buffer); });
}

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  exchange(c, "a client's");

  int ends[2];
  expect("pipe", 0, [&] { return ::pipe(ends); });
  pass_bytes(ends[1], ends[0]);
  expect("pipe2", 0, [&] { return ::pipe2(ends, O_CLOEXEC | O_NONBLOCK); });
  pass_bytes(ends[1], ends[0]);
  expect("socketpair", 0, [&] { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends); });
  pass_bytes(ends[0], ends[1]);
  pass_bytes(ends[1], ends[0]);
  expect("socketpair of datagrams", 0, [&] { return ::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends); });
  pass_bytes(ends[0], ends[1]);
  expect_error("pipe2 with unknown flags", EINVAL, [&] { return ::pipe2(ends, 1 << 20); });
  expect_error("pipe into nowhere", EFAULT, [&] { return ::pipe(reinterpret_cast<int*>(8)); });
  expect_error("socketpair of TCP", EOPNOTSUPP, [&] { return ::socketpair(AF_INET, SOCK_STREAM, 0, ends); });

  // An upstream in this very process: the client's end of c has the same peer as any other upstream's.
  const int upstream = ::dup(c.client);
  exchange(c, "beside an upstream");
  expect("write to the upstream", 4, [&] { return ::write(upstream, "up, ", 4); });
  char buffer[8];
  check("the upstream's bytes arrive", await([&] { return waiting_bytes(c.fd) == 4; }));
  c.takes("read", "up, ", buffer, [&] { return ::read(c.fd, buffer, sizeof buffer); });

  // A connect that fails, and one to a datagram socket.
  const int refused = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in nobody{};
  nobody.sin_family = AF_INET;
  nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  nobody.sin_port = htons(1);
  expect_error("connect to nobody", ECONNREFUSED,
               [&] { return ::connect(refused, reinterpret_cast<sockaddr*>(&nobody), sizeof nobody); });
  const int datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof self;
  ::bind(datagrams, reinterpret_cast<sockaddr*>(&self), size);
  ::getsockname(datagrams, reinterpret_cast<sockaddr*>(&self), &size);
  expect("connect of a datagram socket", 0,
         [&] { return ::connect(datagrams, reinterpret_cast<sockaddr*>(&self), size); });
  pass_bytes(datagrams, datagrams);
  close_host_end(c);
  return finish();
}
