// Children that hold copies of a connection come and go; the parent serves it, before, meanwhile and after.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& unused_before = loopback.connect();
  Connection& used_before = loopback.connect();
  exchange(used_before, "before the children");
  for (int how = 0; how < 3; ++how) {
    int until[2];
    expect("pipe", 0, [&] { return ::pipe(until); });
    const pid_t child = ::fork();
    if (child == 0) {
      if (how == 1) {
        ::close(unused_before.fd);
        ::close(used_before.fd);
      }
      if (how == 2) ::dup2(used_before.fd, unused_before.fd);
      ::close(until[1]);
      char byte;
      expect("child: read of the parent's sign", 0, [&] { return ::read(until[0], &byte, 1); });
      end_child();
    }
    ::close(until[0]);
    exchange(used_before, "while a child lives");
    exchange(unused_before, "while a child lives");
    ::close(until[1]);
    expect_child_succeeds("child", child);
    exchange(used_before, "after the child");
  }
  close_host_end(used_before);
  close_host_end(unused_before);
  return finish();
}
