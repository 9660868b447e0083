// Reads of every kind, each shorter than what waits.
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  const std::string bytes = pattern(20'000, 6);
  c.client_sends(bytes);
  char buffer[64];
  size_t at = 0;
  for (unsigned call = 0; at < bytes.size(); ++call) {
    const size_t size = std::min<size_t>(call % 61 + 1, bytes.size() - at);
    iovec parts[2] = {{buffer, size / 2}, {buffer + size / 2, size - size / 2}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    c.takes("a partial read", bytes.substr(at, size), buffer, [&] {
      switch (call % 5) {
        case 0: return ::read(c.fd, buffer, size);
        case 1: return ::recv(c.fd, buffer, size, 0);
        case 2: return ::readv(c.fd, parts, 2);
        case 3: return ::recvfrom(c.fd, buffer, size, 0, nullptr, nullptr);
        default: return ::recvmsg(c.fd, &message, 0);
      }
    });
    at += size;
  }
  close_host_end(c);
  return finish();
}
