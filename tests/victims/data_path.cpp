// 1,000 small reads and writes on an established connection between two calls of getppid, for a tracer to look at.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  exchange(c, "everything has started");
  const std::string bytes = "eight by";
  char buffer[8];
  bool same = true;
  ::getppid();
  for (int i = 0; i < 1'000; ++i) {
    same = same && ::write(c.client, bytes.data(), 8) == 8 && ::read(c.fd, buffer, 8) == 8;
    same = same && ::write(c.fd, buffer, 8) == 8 && ::read(c.client, buffer, 8) == 8;
  }
  ::getppid();
  check("every call passed eight bytes", same);
  for (int i = 0; i < 1'000; ++i) {
    c.consumed(bytes);
    c.produced(bytes);
  }
  close_host_end(c);
  return finish();
}
