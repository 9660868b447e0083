#include "recorder/main/spare.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "recorder/base/unique_fd.h"
#include "recorder/link/socket.h"
#include "recorder/main/orphans.h"
#include "shim/ring_layout.h"

namespace sidrec {
namespace {

constexpr int kWordPatienceMs = 100;  // a host says its ring at once when it is connected

UniqueFd listen_in(uint32_t slot, uint64_t service) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length = std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s%016lx-%u", ring::kSpare,
                                   static_cast<unsigned long>(service), slot);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
  const bool is_mine = fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
  if (!is_mine || ::listen(fd.get(), 1) != 0) return UniqueFd();
  return fd;
}

UniqueFd listen_for(uint64_t service) {
  UniqueFd fd;
  for (uint32_t slot = 0; slot < ring::kSpares && !fd; ++slot) fd = listen_in(slot, service);
  return fd;
}

std::optional<std::string> ring_named_by(int host) {
  std::array<char, ring::kMaxPath + 64> path;
  pollfd word{host, POLLIN, 0};
  const ssize_t length = ::poll(&word, 1, kWordPatienceMs) > 0 ? ::recv(host, path.data(), path.size(), 0) : 0;
  if (length <= 0 || path[0] != '/') return std::nullopt;
  return std::string(path.data(), static_cast<size_t>(length));
}

}  // namespace

std::optional<std::string> await_next_host(uint64_t service, uint32_t patience_ms, int signal_fd) {
  const UniqueFd listener = listen_for(service);
  if (!listener) return std::nullopt;
  std::array<pollfd, 2> events{{{listener.get(), POLLIN, 0}, {signal_fd, POLLIN, 0}}};
  (void)::poll(events.data(), events.size(), static_cast<int>(patience_ms));
  // From here on nobody comes in any more (connect(2) is refused); who has is heard, whatever it was that woke us.
  ::shutdown(listener.get(), SHUT_RD);
  std::optional<std::string> next;
  for (;;) {
    const auto host = link::accept_one(listener.get());
    if (!host && host.error().code == EPERM) continue;
    if (!host || !*host) break;
    const auto ring = ring_named_by(host->get());
    if (!ring) continue;
    if (next || events[1].revents != 0) {
      (void)start_successor(*ring);
    } else {
      next = ring;
    }
  }
  return next;
}

}  // namespace sidrec
