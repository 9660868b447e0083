// A vfork child shares the parent's memory but not its descriptors: what it closes and dups before exec is its own.
#include "tests/victims/loopback.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& closed = loopback.connect();
  Connection& replaced = loopback.connect();
  Connection& kept = loopback.connect();
  for (Connection* c : {&closed, &replaced, &kept}) exchange(*c, "before vfork");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);

  for (int round = 0; round < 3; ++round) {
    const pid_t child = ::vfork();
    if (child == 0) {
      ::close(closed.fd);
      ::dup2(null, replaced.fd);
      ::close_range(900, 1000, 0);
      if (round == 1) ::closefrom(3);
      if (round == 2) ::_exit(0);
      ::execl("/bin/true", "true", nullptr);
      ::_exit(127);
    }
    expect_child_succeeds("/bin/true", child);
    for (Connection* c : {&closed, &replaced, &kept}) exchange(*c, "after vfork");
  }
  for (Connection* c : {&closed, &replaced, &kept}) close_host_end(*c);
  return finish();
}
