// A loop closes 65,536 numbers one by one, as danted does, with client connections among them.
#include <sys/resource.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const int top = static_cast<int>(std::min<rlim_t>(limit.rlim_max, 65'536));

  std::vector<Connection*> among;
  const Loopback first;
  for (const int number : {100, 1'023, 1'024, 2'000, top - 1}) {
    Connection& c = first.connect();
    if (number < top && ::dup2(c.fd, number) == number) {
      ::close(c.fd);
      c.fd = number;
    }
    exchange(c, "among many");
    among.push_back(&c);
  }
  const int null = ::open("/dev/null", O_RDONLY);
  for (int fd = 3'000; fd < std::min(top - 1, 4'000); ++fd) ::dup2(null, fd);

  int closed = 0;
  for (int fd = 3; fd < 3 + 65'536; ++fd) {
    errno = kUntouchedErrno;
    const int result = ::close(fd);
    if (result == 0) {
      ++closed;
      if (errno != kUntouchedErrno) failed("close(%d): errno became %d", fd, errno);
    } else if (result != -1 || errno != EBADF) {
      failed("close(%d): returned %d, errno %d", fd, result, errno);
    }
  }
  observed("closed", std::to_string(closed));
  const Loopback second;
  Connection& next = second.connect();
  for (Connection* c : among) c->ends_before.push_back(next.client_port);
  exchange(next, "after the loop");
  close_host_end(next);
  return finish();
}
