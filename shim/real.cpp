#include "shim/real.h"

#include <dlfcn.h>

#include <cerrno>

namespace sidrec {

constinit Real g_real{};

void resolve_real() {
  const int saved_errno = errno;
#define X(name) g_real.name = reinterpret_cast<decltype(&::name)>(dlsym(RTLD_NEXT, #name));
  SIDREC_HOOKED(X)
#undef X
  g_real.resolved = true;
  errno = saved_errno;
}

}  // namespace sidrec
