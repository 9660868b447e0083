// Processes that end with a client connection still open: by return, exit, quick_exit, _exit, SIGTERM and SIGKILL.
#include <csignal>

#include "tests/victims/loopback.h"

using namespace victim;

static void end_by(int way) {
  switch (way) {
    case 0: std::exit(0);
    case 1: std::quick_exit(0);
    case 2: ::_exit(0);
    case 3: std::_Exit(0);
    case 4: ::raise(SIGTERM); break;
    case 5: ::raise(SIGKILL); break;
  }
  ::abort();
}

int main() {
  for (int way = 0; way < 6; ++way) {
    const Loopback loopback;
    const Client client = loopback.dial();
    const pid_t child = ::fork();
    if (child == 0) {
      Connection& c = loopback.state(client, ::accept(loopback.fd, nullptr, nullptr));
      exchange(c, "the child's");
      end_by(way);
    }
    int status = 0;
    check("waitpid", ::waitpid(child, &status, 0) == child);
    check("the child ended as it should",
          way < 4 ? status == 0 : WIFSIGNALED(status) && WTERMSIG(status) == (way == 4 ? SIGTERM : SIGKILL));
    ::close(loopback.fd);
    Connection& c = loopback.state(client, -1);
    if (way >= 4) c.complete = "unknown";
    c.consumed("question: the child's");
    c.produced("answer: the child's");
  }
  const Loopback loopback;
  exchange(loopback.connect(), "the parent's own, open at its return");
  return finish();
}
