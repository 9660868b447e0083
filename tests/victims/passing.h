// Descriptors that travel over a unix socket: SCM_RIGHTS, unix(7).
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

namespace victim {

inline msghdr one_byte_with_room_for_a_descriptor(iovec* part, char (&control)[CMSG_SPACE(sizeof(int))]) {
  msghdr message{};
  message.msg_iov = part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  return message;
}

inline long pass(int channel, int fd) {
  char byte = 'd';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message = one_byte_with_room_for_a_descriptor(&part, control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(channel, &message, 0);
}

inline int take(int channel) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message = one_byte_with_room_for_a_descriptor(&part, control);
  if (::recvmsg(channel, &message, 0) != 1) return -1;
  int fd = -1;
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message)) std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

}  // namespace victim
