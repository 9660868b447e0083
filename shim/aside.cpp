#include "shim/aside.h"

#include <sched.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>

#include "shim/sys.h"

namespace sidrec {
namespace {

constexpr size_t kStackBytes = 16 * 1024;

alignas(16) char g_stack[kStackBytes];

}  // namespace

bool run_aside(int (*body)(void*), void* argument) {
  const sys::SignalsBlocked blocked;
  const int saved_errno = errno;
  const int pid = clone(body, g_stack + kStackBytes, CLONE_VM | CLONE_VFORK | CLONE_FILES, argument);
  errno = saved_errno;
  if (pid > 0) sys::call(SYS_wait4, pid, 0, __WCLONE, 0);
  return pid > 0;
}

}  // namespace sidrec
