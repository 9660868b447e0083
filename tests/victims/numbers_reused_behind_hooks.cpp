// A client's descriptor is closed behind the hooks: inside libc by fclose, or by a raw system call. Whatever the host
// makes next with that number by accept, connect, socketpair, pipe or pipe2 is what it is, and not that client any
// more.
#include <sys/syscall.h>

#include "tests/victims/loopback.h"

using namespace victim;

static bool raw_close = false;

template <typename Make>
static void reuse(const Loopback& loopback, const char* what, Make make) {
  Connection& c = loopback.connect();
  c.complete = "unknown";  // nobody can ask the kernel about a socket that is gone
  exchange(c, what);
  if (raw_close) {
    expect("raw close", 0, [&] { return ::syscall(SYS_close, c.fd); });
  } else {
    FILE* stream = ::fdopen(c.fd, "r+");
    expect("fclose", 0, [&] { return ::fclose(stream); });
  }
  make(c.fd);
}

static void write_and_close(const char* what, int fd) {
  if (::write(fd, "not a client's", 14) != 14) failed("%s: write: errno %d", what, errno);
  expect("close", 0, [&] { return ::close(fd); });
}

static void reuse_by_each_maker(const Loopback& loopback, const Loopback& upstream) {
  int ends[2] = {-1, -1};
  char buffer[32];
  reuse(loopback, "socketpair", [&](int number) {
    expect("socketpair", 0, [&] { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends); });
    check("socketpair takes the number", ends[0] == number);
    write_and_close("socketpair", ends[0]);
    ::close(ends[1]);
  });
  for (const int flags : {0, O_NONBLOCK}) {
    reuse(loopback, flags == 0 ? "pipe" : "pipe2", [&](int number) {
      expect("pipe", 0, [&] { return flags == 0 ? ::pipe(ends) : ::pipe2(ends, flags); });
      check("the pipe takes the number", ends[0] == number);
      write_and_close("pipe", ends[1]);
      expect("read of the pipe", 14, [&] { return ::read(ends[0], buffer, sizeof buffer); });
      ::close(ends[0]);
    });
  }
  reuse(loopback, "connect", [&](int number) {
    const Client client = upstream.dial();
    check("the upstream takes the number", client.fd == number);
    write_and_close("connect", client.fd);
  });
  reuse(loopback, "accept", [&](int number) {
    const Client client = loopback.dial();
    const int far = ::fcntl(client.fd, F_DUPFD_CLOEXEC, 100);
    ::close(client.fd);
    Connection& next = loopback.state({far, client.port}, ::accept(loopback.fd, nullptr, nullptr));
    check("the next client takes the number", next.fd == number);
    exchange(next, "the next client");
    close_host_end(next);
  });
}

int main() {
  const Loopback loopback;
  const Loopback upstream;
  for (const bool raw : {false, true}) {
    raw_close = raw;
    reuse_by_each_maker(loopback, upstream);
  }
  return finish();
}
