// writev with IOV_MAX segments, empty ones among them; one segment more is EINVAL.
#include <sys/uio.h>

#include <climits>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  std::string bytes = pattern(IOV_MAX * 8, 3);
  iovec segments[IOV_MAX + 1];
  volatile int negative = -1;
  size_t total = 0;
  for (int i = 0; i < IOV_MAX; ++i) {
    const size_t size = i % 3 == 1 ? 0 : static_cast<size_t>(i % 7 + 1);
    segments[i] = {size == 0 ? nullptr : bytes.data() + total, size};
    total += size;
  }
  segments[IOV_MAX] = {bytes.data(), 1};
  bytes.resize(total);

  c.gives("writev of 1,024 segments", bytes, [&] { return ::writev(c.fd, segments, IOV_MAX); });
  expect("writev of no segments", 0, [&] { return ::writev(c.fd, segments, 0); });
  expect_error("writev of 1,025 segments", EINVAL, [&] { return ::writev(c.fd, segments, IOV_MAX + 1); });
  expect_error("writev of -1 segments", EINVAL, [&] { return ::writev(c.fd, segments, negative); });
  const size_t few = segments[0].iov_len + segments[1].iov_len + segments[2].iov_len;
  c.gives("writev of three segments", bytes.substr(0, few), [&] { return ::writev(c.fd, segments, 3); });
  close_host_end(c);
  return finish();
}
