// The first bytes of a client start the recorder: a host of one thread cannot notice.
#include "tests/victims/unnoticed.h"

using namespace victim;

int main() {
  count_child_signals();
  sigset_t some;
  ::sigemptyset(&some);
  ::sigaddset(&some, SIGUSR2);
  ::sigprocmask(SIG_BLOCK, &some, nullptr);
  const Loopback loopback;
  Connection& c = loopback.connect();
  const View before;
  exchange(c, "the first bytes");
  expect_unnoticed(before);
  exchange(c, "and more");
  expect_unnoticed(before);
  close_host_end(c);
  return finish();
}
