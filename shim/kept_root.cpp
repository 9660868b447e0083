#include "shim/kept_root.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/types.h>

#include <cerrno>

#include "shim/aside.h"
#include "shim/sys.h"

namespace sidrec {
namespace {

struct Open {
  const char* path;
  int flags;
  int mode;
  long result;
};

int open_aside(void* p) {
  auto* open = static_cast<Open*>(p);
  take_up_root();
  open->result = sys::call(SYS_openat, AT_FDCWD, sys::arg(open->path), open->flags, open->mode);
  return 0;
}

}  // namespace

bool keeps_root() {
  uid_t real = 0, effective = 0, saved = 0;
  if (sys::call(SYS_getresuid, sys::arg(&real), sys::arg(&effective), sys::arg(&saved)) < 0) return false;
  return effective != 0 && (real == 0 || saved == 0);
}

void take_up_root() {
  // A change of user takes the core dump from the memory, which is the host's (PR_SET_DUMPABLE, prctl(2)).
  const long dumpable = sys::call(SYS_prctl, PR_GET_DUMPABLE);
  sys::call(SYS_setresuid, 0, 0, 0);
  sys::call(SYS_setresgid, 0, 0, 0);
  sys::call(SYS_setgroups, 0, 0);
  if (dumpable == 1) sys::call(SYS_prctl, PR_SET_DUMPABLE, 1);
}

long open_as_root(const char* path, int flags, int mode) {
  Open open{path, flags, mode, -EAGAIN};
  run_aside(open_aside, &open);
  return open.result;
}

}  // namespace sidrec
