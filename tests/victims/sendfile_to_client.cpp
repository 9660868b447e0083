// sendfile and sendfile64 to a client between writes: their bytes never pass through memory.
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  const std::string bytes = pattern(40'000, 9);
  const int file = ::memfd_create("file", MFD_CLOEXEC);
  expect("write to a file", static_cast<long>(bytes.size()), [&] { return ::write(file, bytes.data(), bytes.size()); });

  exchange(c, "header");
  off_t offset = 100;
  expect("sendfile", 30'000, [&] { return ::sendfile(c.fd, file, &offset, 30'000); });
  check("sendfile moved the offset", offset == 30'100);
  c.produced_unseen(30'000, "sendfile");
  check("the client receives the file", c.client_receives(30'000) == bytes.substr(100, 30'000));
  c.gives("write after it", "middle", [&] { return ::write(c.fd, "middle", 6); });

  off64_t offset64 = 39'000;
  expect("sendfile64 to the end of the file", 1'000, [&] { return ::sendfile64(c.fd, file, &offset64, 5'000); });
  c.produced_unseen(1'000, "sendfile");
  check("the client receives its end", c.client_receives(1'000) == bytes.substr(39'000));
  expect("sendfile64 behind the end", 0, [&] { return ::sendfile64(c.fd, file, &offset64, 5'000); });
  c.gives("write after it", "trailer", [&] { return ::write(c.fd, "trailer", 7); });

  ::lseek(file, 39'990, SEEK_SET);
  expect("sendfile at the file's own offset", 10, [&] { return ::sendfile(c.fd, file, nullptr, 99); });
  c.produced_unseen(10, "sendfile");
  check("the client receives ten bytes", c.client_receives(10) == bytes.substr(39'990));
  expect_error("sendfile from a socket", EINVAL, [&] { return ::sendfile(file, c.fd, nullptr, 10); });
  expect_error("sendfile of a closed file", EBADF, [&] { return ::sendfile(c.fd, 999, nullptr, 10); });
  exchange(c, "end");
  close_host_end(c);
  return finish();
}
