// Single calls of 64 KiB and of 1 MiB, each way.
#include <sys/uio.h>

#include <thread>

#include "tests/victims/loopback.h"

using namespace victim;

static void expect_echo(Connection& c, const std::string& bytes, unsigned way) {
  std::string buffer(bytes.size(), '\0');
  std::string received;
  std::thread client([&] {
    send_all(c.client, bytes);
    received = receive(c.client, bytes.size());
  });
  iovec parts[3] = {{buffer.data(), 1}, {buffer.data() + 1, 0}, {buffer.data() + 1, buffer.size() - 1}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 3;
  c.takes("MSG_WAITALL of all", bytes, buffer.data(), [&] {
    return way == 0 ? ::recv(c.fd, buffer.data(), buffer.size(), MSG_WAITALL) : ::recvmsg(c.fd, &message, MSG_WAITALL);
  });
  expect("a write of all", static_cast<long>(bytes.size()), [&] {
    switch (way) {
      case 0: return ::write(c.fd, buffer.data(), buffer.size());
      case 1: return ::writev(c.fd, parts, 3);
      default: return ::sendmsg(c.fd, &message, MSG_NOSIGNAL);
    }
  });
  c.produced(bytes);
  client.join();
  check("the client receives it back", received == bytes);
}

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  unsigned seed = 0;
  for (const size_t size : {65'471u, 65'472u, 65'473u, 65'536u, 1u << 20}) {
    for (unsigned way = 0; way < 3; ++way) expect_echo(c, pattern(size, ++seed), way);
  }
  expect_echo(c, std::string(1 << 20, 'a'), 0);
  close_host_end(c);
  return finish();
}
