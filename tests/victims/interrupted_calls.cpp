// A signal without SA_RESTART ends a blocking call with EINTR; the next one goes on as if nothing had been.
#include <sys/time.h>
#include <sys/uio.h>

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

  // A full send buffer: the blocking write that could send nothing is interrupted.
  std::string bytes;
  make_nonblocking(c.fd);
  const std::string block = pattern(64 * 1024, 7);
  const auto write_block = [&] {
    const ssize_t sent = ::write(c.fd, block.data(), block.size());
    if (sent > 0) bytes += block.substr(0, static_cast<size_t>(sent));
    return sent;
  };
  while (write_block() > 0) continue;
  ::fcntl(c.fd, F_SETFL, ::fcntl(c.fd, F_GETFL) & ~O_NONBLOCK);
  set_alarms(5'000);
  ssize_t sent;
  while ((sent = write_block()) > 0) continue;  // the kernel may yet find room
  check("the write that found none is interrupted", sent == -1 && errno == EINTR);
  set_alarms(0);
  check("the client receives every byte", c.client_receives(bytes.size()) == bytes);
  c.produced(bytes);
  close_host_end(c);
  return finish();
}
