// 64 threads accept from one listener, echo, and close, all at once, on 3,072 connections.
#include <thread>

#include "tests/victims/loopback.h"

using namespace victim;

static constexpr unsigned kServers = 64, kEach = 48, kClients = 8;

static void serve(const Loopback& loopback) {
  char buffer[256];
  for (unsigned i = 0; i < kEach; ++i) {
    const int fd = ::accept4(loopback.fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return failed("accept4: errno %d", errno);
    ssize_t got;
    while ((got = ::read(fd, buffer, sizeof buffer)) > 0) {
      expect("write", got, [&] { return ::write(fd, buffer, static_cast<size_t>(got)); });
    }
    expect("close", 0, [&] { return ::close(fd); });
  }
}

static void ask(const Loopback& loopback, unsigned number) {
  for (unsigned i = 0; i < kServers * kEach / kClients; ++i) {
    const Client client = loopback.dial();
    Connection stated;
    stated.client_port = client.port;
    stated.server_port = loopback.port;
    for (unsigned turn = 0; turn < 1 + i % 3; ++turn) {
      const std::string bytes = pattern(1 + (i * 7 + turn) % 200, number * 1'000 + i);
      send_all(client.fd, bytes);
      if (receive(client.fd, bytes.size()) != bytes) failed("client %u: other bytes in connection %u", number, i);
      stated.consumed(bytes);
      stated.produced(bytes);
    }
    ::close(client.fd);
    state_connection(std::move(stated));
  }
}

int main() {
  const Loopback loopback(4096);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kServers; ++i) threads.emplace_back([&] { serve(loopback); });
  for (unsigned i = 0; i < kClients; ++i) threads.emplace_back([&, i] { ask(loopback, i); });
  for (std::thread& thread : threads) thread.join();
  return finish();
}
