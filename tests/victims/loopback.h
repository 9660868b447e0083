// A listener on loopback and clients of it, in one process.
//
// connect(2) to a listening socket succeeds before accept(2), so one thread can be both client and server: victims
// need a thread of their own only where bytes exceed the socket buffers. The client's end is close-on-exec and has
// a receive timeout, so that a victim that goes wrong ends by itself.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "tests/victims/victim.h"

namespace victim {

inline constexpr auto kPatience = std::chrono::seconds(10);

// A deadline poll: true as soon as `condition` holds.
template <typename Condition>
bool await(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

inline bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// Up to `size` bytes; less when the stream ended or the patience did.
inline std::string receive(int fd, size_t size) {
  std::string bytes(size, '\0');
  size_t have = 0;
  while (have < size) {
    const ssize_t got = ::recv(fd, bytes.data() + have, size - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

inline std::string receive_until_end(int fd) { return receive(fd, 4 << 20); }

inline int waiting_bytes(int fd) {
  int bytes = -1;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : -1;
}

inline void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

inline void Connection::client_sends(std::string_view bytes) {
  const int before = waiting_bytes(fd);
  if (!send_all(client, bytes)) return failed("client: cannot send");
  const int want = before + static_cast<int>(bytes.size());
  if (!await([&] { return waiting_bytes(fd) >= want; })) failed("client: bytes did not arrive");
}

inline std::string Connection::client_receives(size_t size) { return receive(client, size); }

inline void Connection::hang_up() {
  ::shutdown(client, SHUT_WR);  // forked children may hold copies
  ::close(client);
  client = -1;
}

// What one connect(2) gave.
struct Client {
  int fd = -1;
  uint16_t port = 0;
};

inline void give_patience(int fd) {
  const timeval timeout{std::chrono::seconds(kPatience).count(), 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

// A client of a server at 127.0.0.1:`server_port`, perhaps in another process.
inline Client dial(uint16_t server_port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(server_port);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    failed("connect: errno %d", errno);
    return {};
  }
  give_patience(fd);
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return {fd, ntohs(address.sin_port)};
}

class Loopback {
 public:
  explicit Loopback(int backlog = 128) {
    fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || ::listen(fd, backlog) != 0) {
      failed("listener: errno %d", errno);
      std::exit(finish());
    }
    port = ntohs(address.sin_port);
    give_patience(fd);
  }
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  [[nodiscard]] Client dial() const { return victim::dial(port); }

  // States the connection that `client` made and this process accepted as `accepted`.
  Connection& state(Client client, int accepted) const {
    Connection connection;
    connection.fd = accepted;
    connection.client = client.fd;
    connection.client_port = client.port;
    connection.server_port = port;
    return state_connection(connection);
  }

  // A connection that was dialled and accepted.
  Connection& connect() const {
    const Client client = dial();
    const int accepted = ::accept(fd, nullptr, nullptr);
    if (accepted < 0) failed("accept: errno %d", errno);
    return state(client, accepted);
  }

  int fd = -1;
  uint16_t port = 0;
};

// Twenty bytes in and twenty out by plain read and write: the connection is a tracked one.
inline void exchange(Connection& c, std::string_view note) {
  char buffer[128];
  const std::string question = "question: " + std::string(note);
  const std::string answer = "answer: " + std::string(note);
  c.client_sends(question);
  c.takes("read", question, buffer, [&] { return ::read(c.fd, buffer, sizeof buffer); });
  c.gives("write", answer, [&] { return ::write(c.fd, answer.data(), answer.size()); });
}

inline void close_host_end(Connection& c) {
  expect("close", 0, [&] { return ::close(c.fd); });
}

}  // namespace victim
