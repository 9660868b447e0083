// A forked child starts as daemons do: setsid, close_range(0, ~0), /dev/null on 0 to 2; then it opens sockets of its
// own and serves. Its parent's connection goes on.
#include <sys/mman.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  auto* const port =
      static_cast<std::atomic<int>*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const Loopback loopback;
  Connection& parents = loopback.connect();
  exchange(parents, "before the child");

  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    expect("close_range of all", 0, [] { return ::close_range(0, ~0U, 0); });
    expect("open", 0, [] { return ::open("/dev/null", O_RDWR); });
    expect("dup", 1, [] { return ::dup(0); });
    expect("dup", 2, [] { return ::dup(0); });
    const Loopback own;
    check("the listener takes number three", own.fd == 3);
    *port = own.port;
    for (int i = 0; i < 2; ++i) {
      const int fd = ::accept(own.fd, nullptr, nullptr);
      char buffer[64];
      ssize_t got;
      while ((got = ::read(fd, buffer, sizeof buffer)) > 0) {
        expect("write", got, [&] { return ::write(fd, buffer, static_cast<size_t>(got)); });
      }
      expect("close", 0, [&] { return ::close(fd); });
    }
    end_child();
  }
  check("the child listens", await([&] { return *port != 0; }));
  for (int i = 0; i < 2; ++i) {
    const Client client = dial(static_cast<uint16_t>(*port));
    Connection& c = loopback.state(client, -1);
    c.server_port = static_cast<uint16_t>(*port);
    const std::string bytes = "to the child " + std::to_string(i);
    send_all(c.client, bytes);
    check("the child answers", c.client_receives(bytes.size()) == bytes);
    c.hang_up();
    c.consumed(bytes);
    c.produced(bytes);
    exchange(parents, "while the child serves");
  }
  expect_child_succeeds("child", child);
  exchange(parents, "after the child");
  close_host_end(parents);
  return finish();
}
