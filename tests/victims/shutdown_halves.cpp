// Each half shut down in each order; EPIPE and SIGPIPE after the host's own end.
#include <csignal>

#include "tests/victims/loopback.h"

using namespace victim;

static volatile sig_atomic_t pipe_signals = 0;

int main() {
  struct sigaction action {};
  action.sa_handler = [](int) { pipe_signals = pipe_signals + 1; };
  ::sigaction(SIGPIPE, &action, nullptr);
  const Loopback loopback;
  char buffer[32];

  Connection& host_first = loopback.connect();
  exchange(host_first, "the host's end comes first");
  expect("shutdown SHUT_WR", 0, [&] { return ::shutdown(host_first.fd, SHUT_WR); });
  check("the client sees the end", host_first.client_receives(1).empty());
  expect_error("write after it", EPIPE, [&] { return ::write(host_first.fd, "x", 1); });
  expect_error("send MSG_NOSIGNAL after it", EPIPE, [&] { return ::send(host_first.fd, "x", 1, MSG_NOSIGNAL); });
  check("one SIGPIPE", pipe_signals == 1);
  host_first.client_sends("and still I talk");
  host_first.takes("read after it", "and still I talk", buffer,
                   [&] { return ::read(host_first.fd, buffer, sizeof buffer); });
  host_first.hang_up();
  expect("read at the end", 0, [&] { return ::read(host_first.fd, buffer, sizeof buffer); });
  close_host_end(host_first);

  Connection& client_first = loopback.connect();
  client_first.client_sends("the client's end comes first");
  ::shutdown(client_first.client, SHUT_WR);
  client_first.takes("read", "the client's end comes first", buffer,
                     [&] { return ::read(client_first.fd, buffer, sizeof buffer); });
  expect("read at the end", 0, [&] { return ::read(client_first.fd, buffer, sizeof buffer); });
  client_first.gives("write after it", "and still I answer",
                     [&] { return ::write(client_first.fd, "and still I answer", 18); });
  expect("shutdown SHUT_RDWR", 0, [&] { return ::shutdown(client_first.fd, SHUT_RDWR); });
  close_host_end(client_first);

  Connection& deaf = loopback.connect();
  deaf.client_sends("queued before");
  expect("shutdown SHUT_RD", 0, [&] { return ::shutdown(deaf.fd, SHUT_RD); });
  deaf.takes("read of what was queued", "queued before", buffer,
             [&] { return ::read(deaf.fd, buffer, sizeof buffer); });
  expect("read at the end", 0, [&] { return ::read(deaf.fd, buffer, sizeof buffer); });
  deaf.gives("write of the deaf", "I still talk", [&] { return ::write(deaf.fd, "I still talk", 12); });
  expect_error("shutdown of an unknown half", EINVAL, [&] { return ::shutdown(deaf.fd, 7); });
  close_host_end(deaf);
  return finish();
}
