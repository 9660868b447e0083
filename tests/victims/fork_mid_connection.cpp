// The parent greets, the child goes on with the same connection while the parent closes its copy, as sshd does:
// one connection, one count of bytes.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  for (unsigned i = 0; i < 4; ++i) {
    Connection& c = loopback.connect();
    exchange(c, "greeting of the parent");
    int spoken[2];
    expect("pipe", 0, [&] { return ::pipe(spoken); });
    const pid_t child = ::fork();
    if (child == 0) {
      exchange(c, "the child goes on");
      ::close(spoken[0]);
      ::close(spoken[1]);
      char buffer[16];
      expect("child: read at the end", 0, [&] { return ::read(c.fd, buffer, sizeof buffer); });
      if (i % 2 == 0) close_host_end(c);
      end_child();
    }
    close_host_end(c);
    ::close(spoken[1]);
    expect("the child has spoken", 0, [&] { return ::read(spoken[0], &spoken[1], 1); });
    ::close(spoken[0]);
    // The child spoke by its copy of the client's end; what it stated is known here.
    c.consumed("question: the child goes on");
    c.produced("answer: the child goes on");
    ::shutdown(c.client, SHUT_WR);
    expect_child_succeeds("child", child);
  }
  return finish();
}
