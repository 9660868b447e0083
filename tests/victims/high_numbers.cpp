// Connections on descriptor numbers above 1,024, up to the last one that the limit allows.
#include <sys/resource.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  expect("setrlimit", 0, [&] { return ::setrlimit(RLIMIT_NOFILE, &limit); });
  const int top = static_cast<int>(std::min<rlim_t>(limit.rlim_max, 1 << 20));
  const Loopback loopback;

  for (const int number : {1'023, 1'024, 1'025, 4'095, 4'096, 5'000, top - 1}) {
    if (number >= top) continue;
    Connection& c = loopback.connect();
    expect("F_DUPFD", number, [&] { return ::fcntl(c.fd, F_DUPFD, number); });
    close_host_end(c);
    c.fd = number;
    exchange(c, "by a high number");
    close_host_end(c);
    expect_error("read of it when closed", EBADF, [&] { return ::read(number, nullptr, 0); });
  }
  expect_error("F_DUPFD beyond the limit", EINVAL,
               [&] { return ::fcntl(loopback.fd, F_DUPFD, static_cast<int>(limit.rlim_max)); });

  // accept itself gives a high number once the low ones are taken.
  const int null = ::open("/dev/null", O_RDONLY);
  while (::dup(null) < std::min(top, 1'500) - 200) continue;
  Connection& c = loopback.connect();
  check("accept gives a high number", c.fd > 1'024 || top <= 1'500);
  exchange(c, "accepted high");
  close_host_end(c);
  return finish();
}
