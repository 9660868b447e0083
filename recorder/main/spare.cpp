#include "recorder/main/spare.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <utility>

#include "recorder/link/socket.h"
#include "recorder/main/orphans.h"
#include "shim/ring_layout.h"

namespace sidrec {
namespace {

constexpr int kWordPatienceMs = 100;  // a host says its ring at once when it is connected

UniqueFd listen_in(uint32_t slot, const HostsToCome& hosts) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length = std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s%u-%016lx-%u", ring::kSpare,
                                   hosts.user, static_cast<unsigned long>(hosts.service), slot);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
  const bool is_mine = fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
  if (!is_mine || ::listen(fd.get(), 1) != 0) return UniqueFd();
  return fd;
}

UniqueFd listen_for(const HostsToCome& hosts) {
  UniqueFd fd;
  for (uint32_t slot = 0; slot < ring::kSpares && !fd; ++slot) fd = listen_in(slot, hosts);
  return fd;
}

std::string word_of(int host) {
  std::array<char, ring::kMaxPath + 64> word;
  pollfd said{host, POLLIN, 0};
  const ssize_t length = ::poll(&said, 1, kWordPatienceMs) > 0 ? ::recv(host, word.data(), word.size(), 0) : 0;
  return std::string(word.data(), static_cast<size_t>(std::max<ssize_t>(length, 0)));
}

}  // namespace

std::optional<NextHost> await_next_host(const HostsToCome& hosts, uint32_t patience_ms, int signal_fd) {
  const UniqueFd listener = listen_for(hosts);
  if (!listener) return std::nullopt;
  std::array<pollfd, 2> events{{{listener.get(), POLLIN, 0}, {signal_fd, POLLIN, 0}}};
  (void)::poll(events.data(), events.size(), static_cast<int>(patience_ms));
  // From here on nobody comes in any more (connect(2) is refused); who has is heard, whatever it was that woke us.
  ::shutdown(listener.get(), SHUT_RD);
  std::optional<NextHost> next;
  for (;;) {
    auto host = link::accept_one(listener.get(), hosts.user);
    if (!host && host.error().code == EPERM) continue;
    if (!host || !*host) break;
    const std::string ring = word_of(host->get());
    if (ring.empty() || ring.starts_with('/') != hosts.make_rings) continue;
    if (!next && events[1].revents == 0) {
      next = {ring, hosts.make_rings ? UniqueFd() : std::move(*host)};
    } else if (hosts.make_rings) {
      (void)start_successor(ring);  // it has gone on, and believes that it has a recorder; the others wait for a word
    }
  }
  return next;
}

}  // namespace sidrec
