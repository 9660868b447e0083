// A forking proxy whose backend refuses: the child shuts the client's connection down, without a byte, and ends.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  for (int i = 0; i < 2; ++i) {
    Connection& c = loopback.connect();
    const pid_t child = ::fork();
    if (child == 0) {
      expect("shutdown SHUT_RDWR", 0, [&] { return ::shutdown(c.fd, SHUT_RDWR); });
      end_child();
    }
    close_host_end(c);
    expect_child_succeeds("child", child);
  }
  return finish();
}
