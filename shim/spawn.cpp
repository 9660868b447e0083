#include "shim/spawn.h"

#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdint>

#include "shim/sys.h"

namespace sidrec {
namespace {

constexpr size_t kStackBytes = 16 * 1024;

alignas(16) char g_outer_stack[kStackBytes];
alignas(16) char g_inner_stack[kStackBytes];

struct Command {
  const char* program;
  const char* const* argv;
  const char* const* envp;
  int error;
};

// Runs in the host's memory until its exec: raw system calls only.
int exec_recorder(void* p) {
  auto* command = static_cast<Command*>(p);
  command->error = static_cast<int>(
      sys::call(SYS_execve, sys::arg(command->program), sys::arg(command->argv), sys::arg(command->envp)));
  return 127;
}

// The intermediate: it has the host's memory, a descriptor table of its own made empty in one call, and a session of
// its own. It clones the process that execs and exits; so the recorder is nobody's child, and its exec, which resets
// the exit signal to SIGCHLD, concerns nobody (clone(2), execve(2)).
int leave_the_host(void* p) {
  if (sys::call(SYS_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE) < 0) sys::call(SYS_unshare, CLONE_FILES);
  sys::call(SYS_setsid);
  clone(exec_recorder, g_inner_stack + kStackBytes, CLONE_VM | CLONE_VFORK, p);
  return 0;
}

}  // namespace

bool spawn_recorder(const char* program, const char* ring_file, bool debug) {
  const char* const argv[] = {program, ring_file, nullptr};
  const char* const envp[] = {debug ? "SIDREC_DEBUG=1" : nullptr, nullptr};
  Command command{program, argv, envp, 0};

  // A signal handler must not run in the shared memory of the clones. The mask goes through exec with every signal
  // blocked; the recorder opens it when it is ready.
  const sys::SignalsBlocked blocked;
  const int saved_errno = errno;
  const int pid = clone(leave_the_host, g_outer_stack + kStackBytes, CLONE_VM | CLONE_VFORK | CLONE_FILES, &command);
  errno = saved_errno;
  if (pid > 0) sys::call(SYS_wait4, pid, 0, __WCLONE, 0);
  return pid > 0 && command.error == 0;
}

}  // namespace sidrec
