// An accepted connection that is closed without a byte is still a connection.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  for (int i = 0; i < 3; ++i) close_host_end(loopback.connect());
  Connection& rejected = loopback.connect();
  rejected.client_sends("never read");
  close_host_end(rejected);
  return finish();
}
