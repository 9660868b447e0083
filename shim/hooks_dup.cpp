// Where one connection gets another number: dup(2), fcntl(2).
#include <cstdarg>

#include "shim/hook.h"
#include "shim/sys.h"

using namespace sidrec;

namespace {

int copied(int from, int to) {
  if (to >= 0 && (is_tracked(from) || is_tracked(to)) && !in_vfork_child()) duplicated(from, to);
  return to;
}

// dup2 closes `to` silently, so its end is told before; but only when the dup2 can succeed, for otherwise `to` lives.
void before_replacing(int from, int to) {
  if (!is_tracked(to) || in_vfork_child()) return;
  if (sys::call(SYS_fcntl, from, F_GETFD) >= 0) forget(to);
}

int after_fcntl(int fd, int command, int r) {
  return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, r) : r;
}

}  // namespace

SIDREC_EXPORT int dup(int fd) noexcept { return copied(fd, real().dup(fd)); }

SIDREC_EXPORT int dup2(int from, int to) noexcept {
  if (from == to) return real().dup2(from, to);
  before_replacing(from, to);
  return copied(from, real().dup2(from, to));
}

SIDREC_EXPORT int dup3(int from, int to, int flags) noexcept {
  if (from == to || (flags & ~O_CLOEXEC)) return real().dup3(from, to, flags);  // fails with EINVAL
  before_replacing(from, to);
  return copied(from, real().dup3(from, to, flags));
}

// The third argument is an int, a pointer, or absent: one register in every case, passed on as it came.
SIDREC_EXPORT int fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* argument = va_arg(list, void*);
  va_end(list);
  return after_fcntl(fd, command, real().fcntl(fd, command, argument));
}

SIDREC_EXPORT int fcntl64(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* argument = va_arg(list, void*);
  va_end(list);
  return after_fcntl(fd, command, real().fcntl64(fd, command, argument));
}
