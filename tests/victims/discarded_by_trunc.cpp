// MSG_TRUNC on TCP discards bytes in the kernel: the buffer stays as it was, and may be smaller than the result.
#include <sys/mman.h>
#include <sys/uio.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& c = loopback.connect();
  // The last four bytes before a page that cannot be touched.
  char* pages = static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ::mprotect(pages + 4096, 4096, PROT_NONE);
  char* small = pages + 4092;
  std::memcpy(small, "same", 4);
  const std::string bytes = pattern(3000, 4);

  exchange(c, "before");
  c.client_sends(bytes);
  expect("recv MSG_TRUNC beyond the buffer", 1000, [&] { return ::recv(c.fd, small, 1000, MSG_TRUNC); });
  c.consumed_unseen(1000, "discarded");
  c.takes("recv after discarding", bytes.substr(1000, 4), small, [&] { return ::recv(c.fd, small, 4, 0); });
  expect("recv MSG_TRUNC without a buffer", 996, [&] { return ::recv(c.fd, nullptr, 996, MSG_TRUNC); });
  expect("recvfrom MSG_TRUNC", 500,
         [&] { return ::recvfrom(c.fd, small, 500, MSG_TRUNC | MSG_DONTWAIT, nullptr, nullptr); });
  iovec part{small, 500};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  expect("recvmsg MSG_TRUNC", 500, [&] { return ::recvmsg(c.fd, &message, MSG_TRUNC); });
  c.consumed_unseen(1996, "discarded");
  check("the buffer is untouched", std::string_view(small, 4) == bytes.substr(1000, 4));
  exchange(c, "after");
  close_host_end(c);
  return finish();
}
