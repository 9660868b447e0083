// readv with IOV_MAX segments, empty ones among them; filled wholly and in part; one segment more is EINVAL.
#include <sys/uio.h>

#include <climits>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  static char memory[IOV_MAX * 8];
  iovec segments[IOV_MAX + 1];
  volatile int negative = -1;
  size_t total = 0;
  for (int i = 0; i < IOV_MAX; ++i) {
    const size_t size = i % 3 == 0 ? 0 : static_cast<size_t>(i % 7 + 1);
    segments[i] = {size == 0 ? nullptr : memory + total, size};
    total += size;
  }
  segments[IOV_MAX] = {memory, 1};

  const std::string whole = pattern(total, 1);
  c.client_sends(whole);
  c.takes("readv of 1,024 segments", whole, memory, [&] { return ::readv(c.fd, segments, IOV_MAX); });

  const std::string part = pattern(total / 2 + 1, 2);
  c.client_sends(part);
  c.takes("readv of half", part, memory, [&] { return ::readv(c.fd, segments, IOV_MAX); });

  expect("readv of no segments", 0, [&] { return ::readv(c.fd, segments, 0); });
  expect_error("readv of 1,025 segments", EINVAL, [&] { return ::readv(c.fd, segments, IOV_MAX + 1); });
  expect_error("readv of -1 segments", EINVAL, [&] { return ::readv(c.fd, segments, negative); });
  close_host_end(c);
  return finish();
}
