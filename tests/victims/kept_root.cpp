// Root is put aside before there is a listener, and kept as the saved user: squid, danted. It is taken up again and put
// aside, as they do now and then, and the victim's users, groups and core dump stay as it left them.
#include <sys/prctl.h>

#include "tests/victims/loopback.h"
#include "tests/victims/root.h"

using namespace victim;

static std::string users() {
  uid_t uid[3];
  gid_t gid[3];
  ::getresuid(&uid[0], &uid[1], &uid[2]);
  ::getresgid(&gid[0], &gid[1], &gid[2]);
  std::string text = std::to_string(::getgroups(0, nullptr)) + " groups";
  for (int i = 0; i < 3; ++i) text += " " + std::to_string(uid[i]) + ":" + std::to_string(gid[i]);
  return text + (::prctl(PR_GET_DUMPABLE) == 1 ? " dumpable" : " not dumpable");
}

int main() {
  put_root_aside();
  ::prctl(PR_SET_DUMPABLE, 1);
  const Loopback loopback;
  for (int i = 0; i < 3; ++i) {
    Connection& c = loopback.connect();
    exchange(c, "while root is put aside");
    close_host_end(c);
    observed("users", users());
  }
  take_root_up();
  put_root_aside();
  Connection& c = loopback.connect();
  exchange(c, "after root was taken up");
  close_host_end(c);
  return finish();
}
