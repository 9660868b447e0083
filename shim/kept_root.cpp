#include "shim/kept_root.h"

#include <sys/prctl.h>
#include <sys/types.h>

#include "shim/aside.h"
#include "shim/sys.h"

namespace sidrec {
namespace {

struct Call {
  int (*body)(void*);
  void* argument;
};

int as_root(void* p) {
  const auto* call = static_cast<Call*>(p);
  take_up_root();
  return call->body(call->argument);
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

void call_as_root(int (*body)(void*), void* argument) {
  Call call{body, argument};
  run_aside(as_root, &call);
}

}  // namespace sidrec
