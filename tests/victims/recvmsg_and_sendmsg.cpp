// recvmsg and sendmsg with several segments, empty ones, a control buffer, and none at all.
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  char memory[32], control[64];
  iovec parts[4] = {{memory, 3}, {nullptr, 0}, {memory + 3, 5}, {memory + 8, 24}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 4;
  message.msg_control = control;
  message.msg_controllen = sizeof control;

  c.client_sends("scattered over parts");
  c.takes("recvmsg", "scattered over parts", memory, [&] { return ::recvmsg(c.fd, &message, 0); });
  observed("control_bytes", std::to_string(message.msg_controllen));
  observed("message_flags", std::to_string(message.msg_flags));
  message.msg_iovlen = 3;
  c.client_sends("more than eight");
  c.takes("recvmsg into eight bytes", "more tha", memory, [&] { return ::recvmsg(c.fd, &message, MSG_DONTWAIT); });
  c.takes("recvmsg the rest", "n eight", memory, [&] { return ::recvmsg(c.fd, &message, 0); });
  expect_error("recvmsg of nothing", EAGAIN, [&] { return ::recvmsg(c.fd, &message, MSG_DONTWAIT); });

  std::memcpy(memory, "gathered from parts", 19);
  parts[3].iov_len = 11;
  msghdr gathered{};
  gathered.msg_iov = parts;
  gathered.msg_iovlen = 4;
  c.gives("sendmsg", "gathered from parts", [&] { return ::sendmsg(c.fd, &gathered, MSG_NOSIGNAL); });
  gathered.msg_iovlen = 0;
  expect("sendmsg of no segments", 0, [&] { return ::sendmsg(c.fd, &gathered, MSG_NOSIGNAL); });
  close_host_end(c);
  return finish();
}
