// Where descriptors and the process end. The table is cleared before the real close: afterwards the number may already
// be another thread's.
#include <stdio_ext.h>

#include <cerrno>
#include <climits>

#include "shim/hook.h"
#include "shim/sys.h"

using namespace sidrec;

namespace {

constexpr unsigned kUnshare = 1u << 1;  // CLOSE_RANGE_UNSHARE; with CLOSE_RANGE_CLOEXEC nothing is closed now

void forget_range(unsigned first, unsigned last) {
  if (tracked_count() == 0 || in_vfork_child()) return;
  const auto bound = static_cast<unsigned>(tracked_bound());
  for (unsigned fd = first; fd < bound && fd <= last; ++fd) {
    if (is_tracked(static_cast<int>(fd))) forget(static_cast<int>(fd));
  }
}

// An old kernel, or a container's filter, refuses close_range, and the host then goes on with every descriptor open.
// Asked over a range that holds nothing.
bool close_range_works() { return sys::call(SYS_close_range, UINT_MAX, UINT_MAX, 0) == 0; }

}  // namespace

SIDREC_EXPORT int close(int fd) {
  if (is_tracked(fd) && !in_vfork_child()) forget(fd);
  return real().close(fd);
}

SIDREC_EXPORT int close_range(unsigned first, unsigned last, int flags) noexcept {
  const bool closes = first <= last && (static_cast<unsigned>(flags) & ~kUnshare) == 0;
  if (closes && tracked_count() > 0 && close_range_works()) forget_range(first, last);
  return real().close_range(first, last, flags);
}

SIDREC_EXPORT void closefrom(int low) noexcept {
  forget_range(low > 0 ? static_cast<unsigned>(low) : 0, UINT_MAX);
  real().closefrom(low);
}

SIDREC_EXPORT int fclose(FILE* stream) {
  const int saved = errno;
  const int fd = stream ? fileno(stream) : -1;
  errno = saved;
  if (is_tracked(fd) && !in_vfork_child()) {
    // The flush happens inside libc, after the kernel's count was asked: without this it would be silent.
    const size_t pending = __fpending(stream);
    if (pending > 0 && is_client(fd)) passed_unseen(begin(fd), ring::kOut, pending, ring::kFault);
    forget(fd);
  }
  return real().fclose(stream);
}

SIDREC_EXPORT int shutdown(int fd, int how) noexcept {
  // Also a use: of a connection whose backend refused, a forked child may see no more than this.
  const Subject s = is_client(fd) && !in_vfork_child() ? begin(fd) : Subject{};
  const int r = real().shutdown(fd, how);
  if (r == 0 && s) shut_down(fd, how);
  return r;
}

SIDREC_EXPORT void _exit(int status) {
  if (!in_vfork_child()) forget_all(ring::kExited);
  real()._exit(status);
  __builtin_unreachable();
}

SIDREC_EXPORT void _Exit(int status) noexcept {
  if (!in_vfork_child()) forget_all(ring::kExited);
  real()._Exit(status);
  __builtin_unreachable();
}

// Its handlers may still do I/O; what they do after this is not recorded.
SIDREC_EXPORT void quick_exit(int status) noexcept {
  if (!in_vfork_child()) forget_all(ring::kExited);
  real().quick_exit(status);
  __builtin_unreachable();
}
