// splice from a client into a pipe and from a pipe to a client, as a proxy does that never looks at the bytes.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& from = loopback.connect();
  Connection& to = loopback.connect();
  int ends[2];
  expect("pipe", 0, [&] { return ::pipe(ends); });
  const std::string bytes = pattern(5'000, 10);

  exchange(from, "before");
  exchange(to, "before");
  from.client_sends(bytes);
  expect("splice from the client", 3'000,
         [&] { return ::splice(from.fd, nullptr, ends[1], nullptr, 3'000, SPLICE_F_MOVE); });
  from.consumed_unseen(3'000, "splice");
  expect("splice to the client", 3'000,
         [&] { return ::splice(ends[0], nullptr, to.fd, nullptr, 65'536, SPLICE_F_MOVE | SPLICE_F_NONBLOCK); });
  to.produced_unseen(3'000, "splice");
  check("the other client receives them", to.client_receives(3'000) == bytes.substr(0, 3'000));

  char buffer[4'096];
  from.takes("read of the rest", bytes.substr(3'000), buffer, [&] { return ::read(from.fd, buffer, sizeof buffer); });
  make_nonblocking(from.fd);
  expect_error("splice of nothing yet", EAGAIN,
               [&] { return ::splice(from.fd, nullptr, ends[1], nullptr, 100, SPLICE_F_NONBLOCK); });
  expect_error("splice from an empty pipe", EAGAIN,
               [&] { return ::splice(ends[0], nullptr, to.fd, nullptr, 100, SPLICE_F_NONBLOCK); });
  expect_error("splice without a pipe", EINVAL, [&] { return ::splice(from.fd, nullptr, to.fd, nullptr, 100, 0); });
  exchange(from, "after");
  exchange(to, "after");
  ::shutdown(from.client, SHUT_WR);
  check("the end arrives", await([&] { return ::recv(from.fd, buffer, 1, MSG_PEEK) == 0; }));
  expect("splice at the end", 0, [&] { return ::splice(from.fd, nullptr, ends[1], nullptr, 100, SPLICE_F_NONBLOCK); });
  close_host_end(from);
  close_host_end(to);
  return finish();
}
