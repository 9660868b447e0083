// Bytes that pass by raw system calls cannot be seen; the connection must then not be called complete.
#include <sys/syscall.h>

#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& read_raw = loopback.connect();
  exchange(read_raw, "seen");
  char buffer[32];
  read_raw.client_sends("unseen");
  expect("raw read", 6, [&] { return ::syscall(SYS_read, read_raw.fd, buffer, sizeof buffer); });
  read_raw.complete = "false";

  Connection& written_raw = loopback.connect();
  exchange(written_raw, "seen");
  expect("raw write", 6, [&] { return ::syscall(SYS_write, written_raw.fd, "unseen", 6); });
  check("the client receives it", written_raw.client_receives(6) == "unseen");
  written_raw.complete = "false";

  Connection& honest = loopback.connect();
  exchange(honest, "all of it seen");
  for (Connection* c : {&read_raw, &written_raw, &honest}) close_host_end(*c);
  return finish();
}
