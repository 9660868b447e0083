// A server on a unix socket, abstract and named, is never recorded; the TCP connection beside it is.
#include <sys/un.h>

#include "tests/victims/loopback.h"

using namespace victim;

static void serve_unix(const std::string& name) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const int client = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  expect("bind", 0, [&] { return ::bind(listener, reinterpret_cast<sockaddr*>(&address), size); });
  expect("listen", 0, [&] { return ::listen(listener, 5); });
  expect("connect", 0, [&] { return ::connect(client, reinterpret_cast<sockaddr*>(&address), size); });
  const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  char buffer[32];
  expect("write of a secret", 6, [&] { return ::write(client, "secret", 6); });
  expect("read of a secret", 6, [&] { return ::read(accepted, buffer, sizeof buffer); });
  expect("send of a secret", 6, [&] { return ::send(accepted, "hidden", 6, 0); });
  expect("recv of a secret", 6, [&] { return ::recv(client, buffer, sizeof buffer, 0); });
  for (const int fd : {accepted, client, listener}) expect("close", 0, [&] { return ::close(fd); });
}

int main() {
  const std::string path = "/tmp/victim-unix-" + std::to_string(::getpid());
  serve_unix(path);
  ::unlink(path.c_str());
  const Loopback loopback;
  Connection& c = loopback.connect();
  exchange(c, "in between");
  close_host_end(c);
  serve_unix(std::string("\0abstract-", 10) + path);
  return finish();
}
