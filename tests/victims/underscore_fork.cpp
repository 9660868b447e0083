// _Fork runs no atfork handler: the child is another process all the same.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& child_serves = loopback.connect();
  Connection& parent_serves = loopback.connect();
  exchange(parent_serves, "before _Fork");
  pid_t child = ::_Fork();
  if (child == 0) {
    ::close(parent_serves.fd);
    ::close(loopback.fd);
    exchange(child_serves, "by the child of _Fork");
    close_host_end(child_serves);
    end_child();
  }
  close_host_end(child_serves);
  child_serves.consumed("question: by the child of _Fork");
  child_serves.produced("answer: by the child of _Fork");
  exchange(parent_serves, "while the child serves");
  expect_child_succeeds("serving child", child);

  child = ::_Fork();
  if (child == 0) ::_exit(0);
  expect_child_succeeds("idle child", child);
  exchange(parent_serves, "after both children");
  close_host_end(parent_serves);
  return finish();
}
