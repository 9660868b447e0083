// Root is given up for good before there is a listener, as "pgbouncer -u" does.
#include "tests/victims/loopback.h"
#include "tests/victims/root.h"

using namespace victim;

int main() {
  give_up_root();
  const Loopback loopback;
  Connection& c = loopback.connect();
  exchange(c, "after root is gone");
  close_host_end(c);
  return finish();
}
