// A host with many connections, of many SIDs or of many threads, whose clients are a process of their own. It accepts
// all, says "ready", reads one block after the other in turn when it is told to by a line, and says how much CPU time
// that was, in nanoseconds. It ends with its standard input. usage: growth_host CONNECTIONS THREADS CALLS ADDRESSES
#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

namespace {

constexpr size_t kBlock = 64;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void pass(bool writes, int fd) {
  char block[kBlock] = {'x'};
  for (size_t done = 0; done < kBlock;) {
    const ssize_t n = writes ? write(fd, block, kBlock - done) : read(fd, block, kBlock - done);
    if (n <= 0) fail(writes ? "write" : "read");
    done += static_cast<size_t>(n);
  }
}

// Everything of 127.0.0.0/8 is loopback.
sockaddr_in address(uint32_t number, uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number);
  return at;
}

template <typename At>
auto* generic(At& at) {
  return reinterpret_cast<sockaddr*>(&at);
}

[[noreturn]] void be_clients(uint16_t port, size_t connections, long calls, uint32_t addresses, int told) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<int> lines;
  for (size_t i = 0; i < connections; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in from = address(static_cast<uint32_t>(i) % addresses, 0), to = address(0, port);
    if (bind(fd, generic(from), sizeof from) || connect(fd, generic(to), sizeof to)) fail("connect");
    pass(true, fd);
    lines.push_back(fd);
  }
  char line = 0;
  if (read(told, &line, 1) != 1) std::exit(0);
  for (long i = 0; i < calls; ++i) pass(true, lines[static_cast<size_t>(i) % connections]);
  (void)!read(told, &line, 1);
  std::exit(0);
}

long cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const size_t connections = std::strtoul(argv[1], nullptr, 10), threads = std::strtoul(argv[2], nullptr, 10);
  const long calls = std::strtol(argv[3], nullptr, 10);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at = address(0, 0);
  socklen_t size = sizeof at;
  if (bind(listener, generic(at), size) || listen(listener, 4096) || getsockname(listener, generic(at), &size)) {
    fail("listen");
  }
  int tell[2];
  if (pipe(tell)) fail("pipe");
  if (fork() == 0) {
    close(tell[1]);
    be_clients(ntohs(at.sin_port), connections, calls, static_cast<uint32_t>(std::atoi(argv[4])), tell[0]);
  }
  std::vector<int> served;
  for (size_t i = 0; i < connections; ++i) {
    served.push_back(accept(listener, nullptr, nullptr));
    if (served.back() < 0) fail("accept");
    pass(false, served.back());
  }
  std::puts("ready");
  std::fflush(stdout);
  if (std::getchar() == EOF) return 0;
  const long before = cpu_ns();
  if (write(tell[1], "\n", 1) != 1) fail("write");
  std::vector<std::thread> workers;
  for (size_t worker = 0; worker < threads; ++worker) {
    workers.emplace_back([&, worker] {
      for (size_t i = worker; i < static_cast<size_t>(calls); i += threads) pass(false, served[i % connections]);
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::printf("%ld\n", cpu_ns() - before);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}
