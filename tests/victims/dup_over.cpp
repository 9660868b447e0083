// dup2 and dup3 over a client's number end that connection; over another number they add a copy.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  const int null = ::open("/dev/null", O_WRONLY);
  Connection& a = loopback.connect();
  exchange(a, "a");
  expect("dup2 of /dev/null over a", a.fd, [&] { return ::dup2(null, a.fd); });
  expect("write to /dev/null", 4, [&] { return ::write(a.fd, "none", 4); });

  Connection& b = loopback.connect();
  a.ends_before.push_back(b.client_port);
  exchange(b, "b");
  Connection& c = loopback.connect();
  exchange(c, "c");
  const int b_number = b.fd;
  expect("dup3 of c over b", b_number, [&] { return ::dup3(c.fd, b_number, O_CLOEXEC); });
  Connection& d = loopback.connect();
  b.ends_before.push_back(d.client_port);
  exchange(d, "d");
  close_host_end(c);
  c.fd = b_number;
  exchange(c, "c by b's number");
  expect("dup2 of c over a's old number", a.fd, [&] { return ::dup2(c.fd, a.fd); });
  expect("close_range of c's copy", 0, [&] { return ::close_range(b_number, b_number, 0); });
  c.fd = a.fd;
  exchange(c, "c by a's number");
  expect_error("dup2 of a bad one over c", EBADF, [&] { return ::dup2(999, c.fd); });
  exchange(c, "c was left alone");
  close_host_end(c);
  close_host_end(d);
  return finish();
}
