// One captured call, over and over: a client end writes a block, the accepted end reads it. Prints nanoseconds per
// round, of time and of the process's CPU. Run bare and with the shim; the difference is what the hook adds, and with
// "untracked", on a pair of local sockets, what two calls pay that are not recorded. With "connections", a round is a
// connection: opened, accepted, a block each way, closed.
// usage: call_cost BYTES ROUNDS [x|random [tracked|untracked|connections]]
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <vector>

#include "tests/bench/loopback_listener.h"

static double now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

int main(int argc, char** argv) {
  const size_t bytes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 64;
  const long rounds = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 200'000;
  sockaddr_in at;
  const int listener = listen_on_loopback(at, 1);
  const auto* address = reinterpret_cast<const sockaddr*>(&at);
  constexpr socklen_t size = sizeof at;
  int client = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(client, address, size)) return 1;
  int server = accept(listener, nullptr, nullptr);
  if (argc > 4 && std::strcmp(argv[4], "untracked") == 0) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 1;
    client = pair[0];
    server = pair[1];
  }
  std::vector<char> block(bytes, 'x'), room(bytes);
  if (argc > 3 && std::strcmp(argv[3], "random") == 0) {
    std::generate(block.begin(), block.end(), [dice = std::mt19937(1)]() mutable { return static_cast<char>(dice()); });
  }

  const auto round = [&] {
    if (write(client, block.data(), bytes) != static_cast<ssize_t>(bytes)) std::exit(1);
    for (size_t got = 0; got < bytes;) {
      const ssize_t n = read(server, room.data() + got, bytes - got);
      if (n <= 0) std::exit(1);
      got += static_cast<size_t>(n);
    }
  };
  const auto connection = [&] {
    close(client);
    close(server);
    client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, address, size)) std::exit(1);
    server = accept(listener, nullptr, nullptr);
    round();
    std::swap(client, server);
    round();
    std::swap(client, server);
  };
  const bool connects = argc > 4 && std::strcmp(argv[4], "connections") == 0;
  const auto once = [&] { connects ? connection() : round(); };
  for (int i = 0; i < 2000; ++i) once();
  const double start = now_ns(CLOCK_MONOTONIC), cpu_start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = 0; i < rounds; ++i) once();
  const auto count = static_cast<double>(rounds);
  const double cpu = (now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / count;
  std::printf("%.1f %.1f\n", (now_ns(CLOCK_MONOTONIC) - start) / count, cpu);
}
