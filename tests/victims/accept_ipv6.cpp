// A listener on [::]: an IPv6 client, and an IPv4 client that appears mapped.
#include "tests/victims/loopback.h"

using namespace victim;

static Client dial_ipv6(uint16_t port) {
  const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  address.sin6_port = htons(port);
  socklen_t size = sizeof address;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) return {};
  give_patience(fd);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return {fd, ntohs(address.sin6_port)};
}

int main() {
  const Loopback elsewhere;
  exchange(elsewhere.connect(), "one connection at least");
  const int listener = ::socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t size = sizeof address;
  const int off = 0;
  if (listener < 0 || ::setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0 ||
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 5) != 0) {
    observed("ipv6", "absent");
    return finish();
  }
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const uint16_t port = ntohs(address.sin6_port);
  const auto serve = [&](Client client, const char* ip) {
    Connection& c = elsewhere.state(client, ::accept(listener, nullptr, nullptr));
    c.server_port = port;
    c.client_ip = ip;
    exchange(c, ip);
    close_host_end(c);
  };
  const Client client = dial_ipv6(port);
  observed("ipv6", client.fd < 0 ? "without a loopback address" : "present");
  if (client.fd >= 0) serve(client, "::1");
  serve(dial(port), "127.0.0.1");
  return finish();
}
