// The descriptors in a message's control data (SCM_RIGHTS, unix(7)).
//
// Walked by hand: glibc's CMSG_NXTHDR may be a call, and trusts lengths that the host can have set to anything.
#pragma once

#include <sys/socket.h>

#include <cstddef>

namespace sidrec {

template <typename Visit>
void for_each_passed_fd(const msghdr& message, Visit visit) {
  if (!message.msg_control) return;
  const char* at = static_cast<const char*>(message.msg_control);
  size_t left = message.msg_controllen;
  while (left >= sizeof(cmsghdr)) {
    cmsghdr header;
    __builtin_memcpy(&header, at, sizeof header);
    if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > left) return;
    if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS) {
      const size_t count = (header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; ++i) {
        int fd;
        __builtin_memcpy(&fd, at + CMSG_LEN(0) + i * sizeof fd, sizeof fd);
        visit(fd);
      }
    }
    const size_t step = CMSG_ALIGN(header.cmsg_len);
    if (step >= left) return;
    at += step;
    left -= step;
  }
}

}  // namespace sidrec
