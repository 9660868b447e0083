// What the kernel knows of a TCP socket: who is at its ends, and how many bytes have passed.
#pragma once

#include <netinet/in.h>

#include "shim/fd_table.h"
#include "shim/ring_layout.h"

namespace sidrec {

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Is `fd`, whose local address this is, a TCP socket?
bool is_tcp(int fd, const Address& local);
// Address (an IPv4 one inside IPv6 as IPv4) and port.
uint16_t split_address(const Address& address, uint8_t (&bytes)[16]);

// Fills subject, family, ports and addresses. False when fd is not a connected TCP socket.
bool describe_connection(int fd, Entry& entry);

// Does `fd` listen, whatever kind of socket it is?
bool is_listening(int fd);

// The local port of a TCP socket, 0 when it is not one.
uint16_t local_port(int fd);

// The kernel's own byte counts (tcp(7) TCP_INFO, SIOCINQ, SIOCOUTQ). Both counts include a FIN that has passed; it is
// subtracted where it is certain, else the count is marked ambiguous by one (known = 2).
void kernel_counts(int fd, const Entry& entry, ring::Release& release);

}  // namespace sidrec
