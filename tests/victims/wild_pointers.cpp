// Calls with pointers into nowhere fail with EFAULT, take nothing from the stream, and harm nobody.
#include <sys/mman.h>
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  volatile uintptr_t nowhere = 8;  // the compiler need not know
  void* const wild = reinterpret_cast<void*>(nowhere);
  char good[16];
  iovec parts[2] = {{good, 0}, {wild, 16}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  mmsghdr several{};
  several.msg_hdr = message;
  auto* const wild_parts = static_cast<iovec*>(wild);
  auto* const wild_message = static_cast<msghdr*>(wild);

  exchange(c, "before");
  c.client_sends("still here");
  expect_error("read", EFAULT, [&] { return ::read(c.fd, wild, 16); });
  expect_error("recv", EFAULT, [&] { return ::recv(c.fd, wild, 16, 0); });
  expect_error("recvfrom", EFAULT, [&] { return ::recvfrom(c.fd, wild, 16, 0, nullptr, nullptr); });
  expect_error("readv", EFAULT, [&] { return ::readv(c.fd, parts, 2); });
  expect_error("readv of wild segments", EFAULT, [&] { return ::readv(c.fd, wild_parts, 2); });
  expect_error("recvmsg", EFAULT, [&] { return ::recvmsg(c.fd, &message, 0); });
  expect_error("recvmsg of a wild header", EFAULT, [&] { return ::recvmsg(c.fd, wild_message, 0); });
  expect_error("recvmmsg", EFAULT, [&] { return ::recvmmsg(c.fd, &several, 1, 0, nullptr); });
  c.takes("read with a good pointer", "still here", good, [&] { return ::read(c.fd, good, sizeof good); });

  expect_error("write", EFAULT, [&] { return ::write(c.fd, wild, 16); });
  expect_error("send", EFAULT, [&] { return ::send(c.fd, wild, 16, 0); });
  expect_error("sendto", EFAULT, [&] { return ::sendto(c.fd, wild, 16, 0, nullptr, 0); });
  expect_error("writev", EFAULT, [&] { return ::writev(c.fd, parts, 2); });
  expect_error("writev of wild segments", EFAULT, [&] { return ::writev(c.fd, wild_parts, 2); });
  expect_error("sendmsg", EFAULT, [&] { return ::sendmsg(c.fd, &message, 0); });
  expect_error("sendmsg of a wild header", EFAULT, [&] { return ::sendmsg(c.fd, wild_message, 0); });
  expect_error("sendmmsg", EFAULT, [&] { return ::sendmmsg(c.fd, &several, 1, 0); });

  // A buffer that ends in a page nobody may read: the kernel sends what comes before it, or nothing.
  const size_t size = 256 * 1024;
  char* pages =
      static_cast<char*>(::mmap(nullptr, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  std::memcpy(pages, pattern(size, 8).data(), size);
  ::mprotect(pages + size, 4096, PROT_NONE);
  const ssize_t sent = ::write(c.fd, pages, size + 4096);
  if (sent > 0) {
    c.produced(std::string_view(pages, static_cast<size_t>(sent)));
    check("the client receives the good part",
          c.client_receives(static_cast<size_t>(sent)) == c.out.substr(c.out.size() - static_cast<size_t>(sent)));
  }
  observed("half_good_write", std::to_string(sent));
  ::munmap(pages, size + 4096);

  sockaddr_in address{};
  socklen_t address_size = sizeof address;
  expect_error("accept with a wild address", EFAULT, [&] {
    const Client refused = loopback.dial();
    const int accepted = ::accept(loopback.fd, static_cast<sockaddr*>(wild), &address_size);
    const int error = errno;
    ::close(refused.fd);
    errno = error;
    return accepted;
  });
  exchange(c, "after");
  close_host_end(c);
  return finish();
}
