// closefrom ends every connection from a number on; numbers below stay; what comes after is new.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& low = loopback.connect();
  exchange(low, "low");
  Connection& high = loopback.connect();
  Connection& unused = loopback.connect();
  exchange(high, "high");
  expect("dup2", 200, [&] { return ::dup2(low.fd, 200); });  // the copy goes, and low stays
  const int from = low.fd + 1;
  check("the others are above", high.fd >= from && unused.fd >= from && low.client < from);

  errno = kUntouchedErrno;
  ::closefrom(from);
  check("closefrom leaves errno alone", errno == kUntouchedErrno);
  expect_error("read of a closed number", EBADF, [&] { return ::read(high.fd, nullptr, 0); });
  exchange(low, "still there");

  int ends[2];
  expect("pipe", 0, [&] { return ::pipe(ends); });
  check("the pipe takes the first number", ends[0] == from);
  expect("write to the pipe", 4, [&] { return ::write(ends[1], "none", 4); });
  Connection& next = loopback.connect();
  unused.ends_before.push_back(next.client_port);
  high.ends_before.push_back(next.client_port);
  exchange(next, "next");

  ::closefrom(3);
  const Loopback again;
  Connection& last = again.connect();
  low.ends_before.push_back(last.client_port);
  next.ends_before.push_back(last.client_port);
  exchange(last, "after everything was closed");
  return finish();
}
