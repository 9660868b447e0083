// The kernel's counts are those of one moment, whatever arrives while they are asked for: this process has read nothing
// and written kWritten bytes, and whoever asks is told so.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>

#include "shim/tcp.h"

namespace {

constexpr int kConnections = 400;
constexpr uint64_t kWritten = 700;

int listener_on_loopback(sockaddr_in& address) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    perror("a listener on loopback");
    _exit(2);
  }
  return listener;
}

struct Seen {
  long right = 0, unknown = 0, wrong = 0;

  void add(uint64_t count, int known, uint64_t expected) {
    (known != 1 ? unknown : count == expected ? right : wrong) += 1;
    if (known == 1 && count != expected && wrong < 5) {
      printf("%lld instead of %lld\n", static_cast<long long>(count), static_cast<long long>(expected));
    }
  }
};

}  // namespace

int main() {
  sockaddr_in address;
  const int listener = listener_on_loopback(address);
  Seen in, out;
  int last_unknown = 0;
  for (int number = 0; number < kConnections; ++number) {
    std::atomic<bool> gone{false};
    std::thread client([&] {
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) perror("connect");
      char buffer[kWritten];
      for (uint64_t got = 0; got < kWritten; got += 100) {
        if (recv(fd, buffer, 100, MSG_WAITALL) != 100 || send(fd, buffer, 100, 0) != 100) perror("a turn");
      }
      close(fd);
      gone = true;
    });
    const int fd = accept(listener, nullptr, nullptr);
    const char text[kWritten] = {};
    if (write(fd, text, sizeof text) != static_cast<ssize_t>(sizeof text)) perror("write");
    sidrec::Entry entry;
    sidrec::ring::Release counts;
    for (bool last = false; !last;) {
      last = gone;
      counts = {};
      sidrec::kernel_counts(fd, entry, counts);
      in.add(counts.kernel_in, counts.in_known, 0);
      out.add(counts.kernel_out, counts.out_known, kWritten);
    }
    last_unknown += counts.in_known != 1 || counts.out_known != 1;
    close(fd);
    client.join();
  }
  printf("in: %ld right, %ld unknown, %ld wrong; out: %ld right, %ld unknown, %ld wrong; %d unknown in the end\n",
         in.right, in.unknown, in.wrong, out.right, out.unknown, out.wrong, last_unknown);
  return in.wrong || out.wrong || last_unknown ? 1 : 0;
}
