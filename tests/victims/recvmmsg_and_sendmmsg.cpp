// recvmmsg and sendmmsg: several messages a call, fewer than asked for, at the end of the stream.
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  char memory[16];
  iovec parts[8];
  mmsghdr messages[4]{};
  for (int i = 0; i < 4; ++i) {
    parts[2 * i] = {memory + 4 * i, 1};
    parts[2 * i + 1] = {memory + 4 * i + 1, 3};
    messages[i].msg_hdr.msg_iov = parts + 2 * i;
    messages[i].msg_hdr.msg_iovlen = 2;
  }

  c.client_sends("abcdefghij");
  expect("recvmmsg of ten bytes", 3, [&] { return ::recvmmsg(c.fd, messages, 4, MSG_DONTWAIT, nullptr); });
  check("recvmmsg lengths", messages[0].msg_len == 4 && messages[1].msg_len == 4 && messages[2].msg_len == 2);
  check("recvmmsg bytes", std::string_view(memory, 10) == "abcdefghij");
  c.consumed("abcdefghij");
  expect_error("recvmmsg of nothing", EAGAIN, [&] { return ::recvmmsg(c.fd, messages, 4, MSG_DONTWAIT, nullptr); });
  c.client_sends("klm");
  timespec timeout{1, 0};
  expect("recvmmsg with a timeout", 1, [&] { return ::recvmmsg(c.fd, messages, 4, MSG_WAITFORONE, &timeout); });
  c.consumed(std::string_view(memory, messages[0].msg_len));

  std::memcpy(memory, "0123456789ABCDEF", 16);
  expect("sendmmsg", 4, [&] { return ::sendmmsg(c.fd, messages, 4, MSG_NOSIGNAL); });
  check("sendmmsg lengths", messages[0].msg_len == 4 && messages[3].msg_len == 4);
  c.produced("0123456789ABCDEF");
  check("the client receives four messages", c.client_receives(16) == "0123456789ABCDEF");
  parts[2] = {reinterpret_cast<void*>(8), 4};
  expect("sendmmsg with a wild second message", 1, [&] { return ::sendmmsg(c.fd, messages, 2, MSG_NOSIGNAL); });
  c.produced("0123");
  check("the client receives the first message", c.client_receives(4) == "0123");
  parts[2] = {memory + 4, 1};

  ::shutdown(c.client, SHUT_WR);
  check("the end arrives", await([&] { return ::recv(c.fd, memory, 1, MSG_PEEK | MSG_DONTWAIT) == 0; }));
  expect("recvmmsg at the end", 4, [&] { return ::recvmmsg(c.fd, messages, 4, MSG_DONTWAIT, nullptr); });
  check("messages at the end are empty", messages[0].msg_len == 0 && messages[3].msg_len == 0);
  close_host_end(c);
  return finish();
}
