#include "shim/tcp.h"

#include <asm/ioctls.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "shim/sys.h"

namespace sidrec {
namespace {

enum TcpState {  // include/net/tcp_states.h
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClose = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kClosing = 11,
};

bool name_of(long which, int fd, Address& address) {
  socklen_t size = sizeof address;
  return sys::call(which, fd, sys::arg(&address), sys::arg(&size)) == 0;
}

// TCP_INFO's state is older than its byte counts (tcp_get_info() takes the socket's lock between them), and the queues
// are asked for one by one: what arrives meanwhile would be counted here and not there.
struct Counts {
  tcp_info info;
  int unread, unsent;
};

constexpr int kTries = 16;  // a peer that sends without a pause gets its count as unknown

bool option(int fd, int level, int name, void* value, socklen_t size) {
  return sys::call(SYS_getsockopt, fd, level, name, sys::arg(value), sys::arg(&size)) == 0;
}

bool ask(int fd, tcp_info& info) { return option(fd, IPPROTO_TCP, TCP_INFO, &info, sizeof info); }

bool nothing_came_between(const tcp_info& before, const tcp_info& after) {
  return before.tcpi_state == after.tcpi_state && before.tcpi_bytes_received == after.tcpi_bytes_received &&
         before.tcpi_bytes_acked == after.tcpi_bytes_acked;
}

bool counts_of_one_moment(int fd, Counts& counts) {
  tcp_info after{};
  if (!ask(fd, after)) return false;
  for (int tries = 0; tries < kTries; ++tries) {
    counts.info = after;
    if (sys::call(SYS_ioctl, fd, FIONREAD, sys::arg(&counts.unread)) < 0) return false;
    if (sys::call(SYS_ioctl, fd, TIOCOUTQ, sys::arg(&counts.unsent)) < 0) return false;
    if (!ask(fd, after)) return false;
    if (nothing_came_between(counts.info, after)) return true;
  }
  return false;
}

}  // namespace

uint16_t split_address(const Address& address, uint8_t (&bytes)[16]) {
  memset(bytes, 0, sizeof bytes);
  if (address.any.sa_family == AF_INET) {
    memcpy(bytes, &address.v4.sin_addr, 4);
    return ntohs(address.v4.sin_port);
  }
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr);  // an IPv4 client of a dual-stack listener
  memcpy(bytes, address.v6.sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
  return ntohs(address.v6.sin6_port);
}

bool is_tcp(int fd, const Address& local) {
  int type = 0;
  return (local.any.sa_family == AF_INET || local.any.sa_family == AF_INET6) &&
         option(fd, SOL_SOCKET, SO_TYPE, &type, sizeof type) && type == SOCK_STREAM;
}

bool describe_connection(int fd, Entry& entry) {
  Address local{}, peer{};
  if (!name_of(SYS_getsockname, fd, local) || !is_tcp(fd, local)) return false;
  if (!option(fd, SOL_SOCKET, SO_COOKIE, &entry.subject, sizeof entry.subject)) return false;
  const bool mapped = local.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&local.v6.sin6_addr);
  entry.family = static_cast<uint8_t>(mapped ? AF_INET : local.any.sa_family);
  entry.server_port = split_address(local, entry.server_addr);
  if (!name_of(SYS_getpeername, fd, peer)) return false;  // not connected, or gone already
  entry.client_port = split_address(peer, entry.client_addr);
  return true;
}

bool is_listening(int fd) {
  int listening = 0;
  return option(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, sizeof listening) && listening;
}

uint16_t local_port(int fd) {
  Address local{};
  uint8_t ignored[16];
  return name_of(SYS_getsockname, fd, local) && is_tcp(fd, local) ? split_address(local, ignored) : uint16_t{0};
}

void kernel_counts(int fd, const Entry& entry, ring::Release& release) {
  Counts counts{};
  if (!counts_of_one_moment(fd, counts)) return;
  const auto& [info, unread, unsent] = counts;
  const int state = info.tcpi_state;
  const bool eof = entry.read_eof.load(std::memory_order_relaxed);
  const bool shut = entry.write_shut.load(std::memory_order_relaxed);
  const bool fin_in =
      state == kCloseWait || state == kLastAck || state == kClosing || state == kTimeWait || (state == kClose && eof);
  const bool fin_out = state == kFinWait1 || state == kFinWait2 || state == kClosing || state == kLastAck ||
                       state == kTimeWait || (state == kClose && shut);
  release.kernel_in = info.tcpi_bytes_received - static_cast<uint64_t>(unread) - fin_in;
  release.kernel_out = info.tcpi_bytes_acked + static_cast<uint64_t>(unsent) - fin_out;
  release.in_known = state == kClose && !eof ? 2 : 1;
  release.out_known = state == kClose && !shut ? 2 : 1;
}

}  // namespace sidrec
