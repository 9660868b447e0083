// posix_spawn with file actions that close and dup2 a client's descriptor: the child's table alone changes.
#include <spawn.h>

#include "tests/victims/loopback.h"
#include "tests/victims/partner.h"

using namespace victim;

int main() {
  const Loopback loopback;
  Connection& goes_on = loopback.connect();
  exchange(goes_on, "before posix_spawn");

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addclose(&actions, goes_on.fd);
  ::posix_spawn_file_actions_adddup2(&actions, loopback.fd, goes_on.fd);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  char name[] = "true";
  char* arguments[] = {name, nullptr};
  pid_t child = -1;
  expect("posix_spawn", 0, [&] { return ::posix_spawn(&child, "/bin/true", &actions, nullptr, arguments, environ); });
  ::posix_spawn_file_actions_destroy(&actions);
  expect_child_succeeds("/bin/true", child);
  exchange(goes_on, "after it");

  const std::string server = partner("victim_serve_inherited");
  Connection& handed = loopback.connect();
  handed.via = "inherited";
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, handed.fd, 0);
  ::posix_spawn_file_actions_adddup2(&actions, handed.fd, 1);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  expect("posix_spawn of a server", 0,
         [&] { return ::posix_spawn(&child, server.c_str(), &actions, nullptr, arguments, environ); });
  ::posix_spawn_file_actions_destroy(&actions);
  close_host_end(handed);
  send_all(handed.client, "hello");
  ::shutdown(handed.client, SHUT_WR);
  check("the server answers and ends", receive_until_end(handed.client) == "you said: hello");
  expect_child_succeeds("spawned server", child);
  handed.consumed("hello");
  handed.produced("you said: hello");
  exchange(goes_on, "at last");
  close_host_end(goes_on);
  return finish();
}
