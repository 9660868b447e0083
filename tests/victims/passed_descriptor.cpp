// The process that accepts passes the connection to a worker by SCM_RIGHTS and closes its copy; the worker serves.
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

static msghdr one_byte_with_room_for_a_descriptor(iovec* part, char (&control)[CMSG_SPACE(sizeof(int))]) {
  msghdr message{};
  message.msg_iov = part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  return message;
}

static long pass(int channel, int fd) {
  char byte = 'd';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message = one_byte_with_room_for_a_descriptor(&part, control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(channel, &message, 0);
}

static int take(int channel) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message = one_byte_with_room_for_a_descriptor(&part, control);
  if (::recvmsg(channel, &message, 0) != 1) return -1;
  int fd = -1;
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message)) std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

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
