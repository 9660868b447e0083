#include "shim/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>

#include <cstddef>

#include "shim/aside.h"
#include "shim/kept_root.h"
#include "shim/sys.h"

namespace sidrec {
namespace {

constexpr size_t kSpawnStackBytes = 16 * 1024;

alignas(16) char g_spawn_stack[kSpawnStackBytes];

struct Command {
  const char* const* argv;
  const char* const* envp;
  bool as_root;
  int socket;
  int error;
};

// Runs in the host's memory until its exec: raw system calls only.
int exec_recorder(void* p) {
  auto* command = static_cast<Command*>(p);
  if (command->as_root) take_up_root();
  command->error = static_cast<int>(
      sys::call(SYS_execve, sys::arg(command->argv[0]), sys::arg(command->argv), sys::arg(command->envp)));
  return 127;
}

// The intermediate: it has the host's memory, a descriptor table of its own made empty in one call, and a session of
// its own. It clones the process that execs and exits; so the recorder is nobody's child, and its exec, which resets
// the exit signal to SIGCHLD, concerns nobody (clone(2), execve(2)).
int leave_the_host(void* p) {
  const int socket = static_cast<Command*>(p)->socket;
  if (sys::call(SYS_close_range, socket + 1, ~0u, CLOSE_RANGE_UNSHARE) < 0) sys::call(SYS_unshare, CLONE_FILES);
  if (socket > 0) {
    sys::call(SYS_dup2, socket, 0);
    sys::call(SYS_close_range, 1, socket, 0);
  } else if (socket == 0) {
    sys::call(SYS_fcntl, socket, F_SETFD, 0);
  }
  sys::call(SYS_setsid);
  clone(exec_recorder, g_spawn_stack + kSpawnStackBytes, CLONE_VM | CLONE_VFORK, p);
  return 0;
}

}  // namespace

bool spawn_recorder(const char* const argv[], bool debug, int socket) {
  const char* const envp[] = {debug ? "SIDREC_DEBUG=1" : nullptr, nullptr};
  // Root that has given up its groups already would leave the recorder, and its files, in the host's.
  const bool half_way = sys::call(SYS_geteuid) == 0 && sys::call(SYS_getegid) != 0;
  Command command{argv, envp, half_way || keeps_root(), socket, 0};
  // The mask goes through exec with every signal blocked; the recorder opens it when it is ready.
  return run_aside(leave_the_host, &command) && command.error == 0;
}

}  // namespace sidrec
