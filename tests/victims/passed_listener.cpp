// A server's next generation gets the listener from its predecessor by SCM_RIGHTS, never calls listen, and gives up
// root before its first client (haproxy's reload).
#include "tests/victims/loopback.h"
#include "tests/victims/passing.h"
#include "tests/victims/root.h"

using namespace victim;

int main() {
  Loopback loopback;
  int channel[2];
  expect("socketpair", 0, [&] { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, channel); });
  expect("sendmsg of the listener", 1, [&] { return pass(channel[0], loopback.fd); });
  expect("close", 0, [&] { return ::close(loopback.fd); });
  loopback.fd = take(channel[1]);
  give_up_root();
  for (int i = 0; i < 3; ++i) {
    Connection& c = loopback.connect();
    exchange(c, "on a listener that was passed");
    close_host_end(c);
  }
  return finish();
}
