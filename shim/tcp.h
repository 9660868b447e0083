// What the kernel knows of a TCP socket: who is at its ends, and how many bytes have passed.
#pragma once

#include "shim/fd_table.h"
#include "shim/ring_layout.h"

namespace sidrec {

// Fills cookie, family, ports and addresses. False when fd is not a connected TCP socket.
bool describe_connection(int fd, Entry& entry);

// The local port of a TCP socket, 0 when it is not one.
uint16_t local_port(int fd);

// The kernel's own byte counts (tcp(7) TCP_INFO, SIOCINQ, SIOCOUTQ). Both counts include a FIN that has passed; it is
// subtracted where it is certain, else the count is marked ambiguous by one (known = 2).
void kernel_counts(int fd, const Entry& entry, ring::Release& release);

}  // namespace sidrec
