// The process that accepts passes the connection to a worker by SCM_RIGHTS and closes its copy; the worker serves.
#include "tests/victims/loopback.h"
#include "tests/victims/passing.h"

using namespace victim;

int main() {
  const Loopback loopback;
  int channel[2];
  expect("socketpair", 0, [&] { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, channel); });
  const pid_t worker = ::fork();
  if (worker == 0) {
    ::close(channel[0]);
    ::close(loopback.fd);
    for (int fd; (fd = take(channel[1])) >= 0;) {
      char buffer[64];
      ssize_t got;
      while ((got = ::read(fd, buffer, sizeof buffer)) > 0) {
        expect("worker: write", got, [&] { return ::write(fd, buffer, static_cast<size_t>(got)); });
      }
      expect("worker: close", 0, [&] { return ::close(fd); });
    }
    end_child();
  }
  ::close(channel[1]);
  for (int i = 0; i < 3; ++i) {
    Connection& c = loopback.connect();
    c.via = "passed";
    expect("sendmsg of a descriptor", 1, [&] { return pass(channel[0], c.fd); });
    close_host_end(c);
    const std::string bytes = "to the worker " + std::to_string(i);
    send_all(c.client, bytes);
    check("the worker answers", c.client_receives(bytes.size()) == bytes);
    c.hang_up();
    c.consumed(bytes);
    c.produced(bytes);
  }
  ::close(channel[0]);
  expect_child_succeeds("worker", worker);
  return finish();
}
