// The parent accepts, each time a forked child serves and the parent closes; then all are served at once.
#include "tests/victims/loopback.h"

using namespace victim;

[[noreturn]] static void serve(int fd) {
  char buffer[256];
  ssize_t got;
  while ((got = ::read(fd, buffer, sizeof buffer)) > 0) {
    expect("child: write", got, [&] { return ::write(fd, buffer, static_cast<size_t>(got)); });
  }
  expect("child: close", 0, [&] { return ::close(fd); });
  end_child();
}

static pid_t hand_to_child(const Loopback& loopback, Connection& c) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(loopback.fd);
    serve(c.fd);
  }
  expect("parent: close", 0, [&] { return ::close(c.fd); });
  return child;
}

static void talk(Connection& c, unsigned seed) {
  const std::string bytes = pattern(seed * 13 + 1, seed);
  if (!send_all(c.client, bytes)) failed("client: cannot send");
  check("the client receives its bytes", c.client_receives(bytes.size()) == bytes);
  c.consumed(bytes);
  c.produced(bytes);
}

int main() {
  const Loopback loopback;
  for (unsigned i = 0; i < 3; ++i) {
    Connection& c = loopback.connect();
    const pid_t child = hand_to_child(loopback, c);
    talk(c, i + 1);
    c.hang_up();
    expect_child_succeeds("serving child", child);
  }
  std::vector<std::pair<Connection*, pid_t>> served;
  for (unsigned i = 0; i < 8; ++i) {
    Connection& c = loopback.connect();
    served.emplace_back(&c, hand_to_child(loopback, c));
    talk(c, 10 + i);
  }
  for (unsigned turn = 0; turn < 5; ++turn) {
    for (auto& [c, child] : served) talk(*c, 20 + turn);
  }
  for (auto& [c, child] : served) c->hang_up();
  for (auto& [c, child] : served) expect_child_succeeds("serving child", child);
  return finish();
}
