// Ends that lose bytes: unread ones at close, SO_LINGER 0 on either side, a reset that throws away what was under way.
// What passed is what the calls took and gave, and that is complete.
#include <sys/socket.h>

#include "tests/victims/loopback.h"

using namespace victim;

namespace {

void reset_when_closed(int fd) {
  const linger at_once{1, 0};
  expect("SO_LINGER 0", 0, [&] { return ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); });
}

// More than the client, which does not read, has room for, and less than it and the kernel have together.
void stuff(Connection& c) {
  const std::string bytes(60'000, 's');
  for (int part = 0; part < 15; ++part) {
    expect("write of what is not read", static_cast<ssize_t>(bytes.size()),
           [&] { return ::write(c.fd, bytes.data(), bytes.size()); });
    c.produced(bytes);
  }
}

}  // namespace

int main() {
  const Loopback loopback;
  char buffer[64];

  Connection& unread = loopback.connect();
  exchange(unread, "then more than is read");
  unread.client_sends("taken, and left unread");
  unread.takes("read of a part", "taken,", buffer, [&] { return ::read(unread.fd, buffer, 6); });
  close_host_end(unread);

  Connection& host_resets = loopback.connect();
  exchange(host_resets, "the host resets");
  host_resets.client_sends("left unread");
  reset_when_closed(host_resets.fd);
  close_host_end(host_resets);

  Connection& client_resets = loopback.connect();
  exchange(client_resets, "the client resets");
  reset_when_closed(client_resets.client);
  ::close(client_resets.client);
  expect_error("read after it", ECONNRESET, [&] { return ::read(client_resets.fd, buffer, sizeof buffer); });
  expect_error("write after it", EPIPE, [&] { return ::send(client_resets.fd, "x", 1, MSG_NOSIGNAL); });
  close_host_end(client_resets);

  Connection& behind_bytes = loopback.connect();
  exchange(behind_bytes, "the client resets behind bytes");
  behind_bytes.client_sends("read in spite of it");
  reset_when_closed(behind_bytes.client);
  ::close(behind_bytes.client);
  behind_bytes.takes("read after it", "read in", buffer, [&] { return ::read(behind_bytes.fd, buffer, 7); });
  close_host_end(behind_bytes);

  // The kernel forgets what it had not delivered, so it cannot confirm what it was given.
  Connection& under_way = loopback.connect();
  exchange(under_way, "a reset with bytes under way");
  stuff(under_way);
  under_way.complete = "unknown";
  reset_when_closed(under_way.client);
  ::close(under_way.client);
  check("the reset arrives", await([&] {
          int error = 0;
          socklen_t size = sizeof error;
          return ::getsockopt(under_way.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ECONNRESET;
        }));
  close_host_end(under_way);

  // The same, and nobody looks before the close.
  Connection& stuffed = loopback.connect();
  exchange(stuffed, "closed with bytes under way");
  stuff(stuffed);
  close_host_end(stuffed);
  return finish();
}
