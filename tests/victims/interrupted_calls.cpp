// A signal without SA_RESTART ends a blocking call with EINTR; the next one goes on as if nothing had been.
#include <sys/time.h>
#include <sys/uio.h>

#include <algorithm>
#include <csignal>

#include "tests/victims/loopback.h"

using namespace victim;

static volatile sig_atomic_t alarms = 0;

static void set_alarms(long every_us) {
  const itimerval timer{{0, every_us}, {0, every_us}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

int main() {
  struct sigaction action {};
  action.sa_handler = [](int) { alarms = alarms + 1; };
  ::sigaction(SIGALRM, &action, nullptr);
  const Loopback loopback;
  Connection& c = loopback.connect();
  char buffer[32];
  iovec part{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;

  set_alarms(5'000);  // again and again, for the first may fall before the call
  expect_error("read", EINTR, [&] { return ::read(c.fd, buffer, sizeof buffer); });
  expect_error("recv", EINTR, [&] { return ::recv(c.fd, buffer, sizeof buffer, 0); });
  expect_error("readv", EINTR, [&] { return ::readv(c.fd, &part, 1); });
  expect_error("recvfrom", EINTR, [&] { return ::recvfrom(c.fd, buffer, sizeof buffer, 0, nullptr, nullptr); });
  expect_error("recvmsg", EINTR, [&] { return ::recvmsg(c.fd, &message, 0); });
  const timeval none{0, 0};
  ::setsockopt(loopback.fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  expect_error("accept", EINTR, [&] { return ::accept(loopback.fd, nullptr, nullptr); });
  set_alarms(0);
  check("the handler ran", alarms >= 6);
  exchange(c, "after the signals");

  // A full send buffer: the blocking write that could send nothing is interrupted. How much the kernel takes before is
  // its own affair; what is written in all is ours.
  const std::string bytes = pattern(12 * 1024 * 1024, 7);  // more than both buffers hold (tcp(7): tcp_wmem, tcp_rmem)
  size_t written = 0, received = 0;
  const auto write_block = [&] {
    const ssize_t sent = ::write(c.fd, bytes.data() + written, std::min(size_t{64} * 1024, bytes.size() - written));
    if (sent > 0) written += static_cast<size_t>(sent);
    return sent;
  };
  make_nonblocking(c.fd);
  while (write_block() > 0) continue;
  ::fcntl(c.fd, F_SETFL, ::fcntl(c.fd, F_GETFL) & ~O_NONBLOCK);
  set_alarms(5'000);
  ssize_t sent;
  while ((sent = write_block()) > 0) continue;  // the kernel may yet find room
  check("the write that found none is interrupted", sent == -1 && errno == EINTR);
  set_alarms(0);
  bool right = true;
  while (received < bytes.size()) {
    right = right && c.client_receives(written - received) == bytes.substr(received, written - received);
    received = written;
    if (written < bytes.size()) write_block();
  }
  check("the client receives every byte", right);
  c.produced(bytes);
  close_host_end(c);
  return finish();
}
