// listen, daemon(), then serve: the process that serves is another one than the one that listened.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  const pid_t before = ::getpid();
  expect("daemon", 0, [] { return ::daemon(1, 1); });
  check("another process", ::getpid() != before);
  for (int i = 0; i < 3; ++i) {
    Connection& c = loopback.connect();
    exchange(c, "served by a daemon");
    close_host_end(c);
  }
  const Loopback second;
  Connection& c = second.connect();
  exchange(c, "on a listener of the daemon's own");
  close_host_end(c);
  return finish();
}
