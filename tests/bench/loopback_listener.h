// A listener of the bench's hosts, on a free port of 127.0.0.1.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>

// `at` becomes its address.
inline int listen_on_loopback(sockaddr_in& at, int backlog) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  at = {};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (bind(listener, address, size) || listen(listener, backlog) || getsockname(listener, address, &size)) {
    std::perror("listen");
    std::exit(1);
  }
  return listener;
}
