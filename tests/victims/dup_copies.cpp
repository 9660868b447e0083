// A connection is what its copies share: bytes by any of them are its bytes, and it ends with the last of them.
#include "tests/victims/loopback.h"

using namespace victim;

extern "C" int fcntl64(int, int, ...);

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  Connection& other = loopback.connect();
  exchange(c, "the first");
  const int original = c.fd;
  expect("dup2 to itself", original, [&] { return ::dup2(original, original); });
  expect_error("dup3 to itself", EINVAL, [&] { return ::dup3(original, original, 0); });
  expect_error("dup3 with unknown flags", EINVAL, [&] { return ::dup3(original, 60, 1); });
  expect_error("fcntl F_DUPFD below zero", EINVAL, [&] { return ::fcntl(original, F_DUPFD, -1); });

  std::vector<int> copies{original, ::dup(original)};
  copies.push_back(static_cast<int>(expect("dup2", 70, [&] { return ::dup2(original, 70); })));
  copies.push_back(static_cast<int>(expect("dup3", 80, [&] { return ::dup3(original, 80, O_CLOEXEC); })));
  copies.push_back(static_cast<int>(expect("F_DUPFD", 90, [&] { return ::fcntl(original, F_DUPFD, 90); })));
  copies.push_back(
      static_cast<int>(expect("F_DUPFD_CLOEXEC", 91, [&] { return ::fcntl(original, F_DUPFD_CLOEXEC, 90); })));
  copies.push_back(static_cast<int>(expect("fcntl64 F_DUPFD", 92, [&] { return ::fcntl64(original, F_DUPFD, 90); })));
  copies.push_back(static_cast<int>(
      expect("fcntl64 F_DUPFD_CLOEXEC", 100, [&] { return ::fcntl64(copies[3], F_DUPFD_CLOEXEC, 100); })));
  check("dup3 marks its copy", ::fcntl(80, F_GETFD) == FD_CLOEXEC && ::fcntl64(70, F_GETFD) == 0);
  check("F_DUPFD_CLOEXEC marks its copy", ::fcntl(91, F_GETFD) == FD_CLOEXEC && ::fcntl(90, F_GETFD) == 0);

  for (const int copy : copies) {
    c.fd = copy;
    exchange(c, "by copy");
  }
  for (size_t i = 0; i + 1 < copies.size(); ++i) {
    expect("close of a copy", 0, [&] { return ::close(copies[i]); });
    c.fd = copies.back();
    exchange(c, "by the last");
  }
  close_host_end(c);
  c.ends_before.push_back(other.client_port);
  exchange(other, "first bytes after c has ended");
  close_host_end(other);
  return finish();
}
