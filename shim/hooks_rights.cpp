// Where a process gives up what its recorder would need: root's view, or system calls at all. And _Fork, which runs no
// pthread_atfork handler (fork(3) in glibc does).
#include <cstdarg>

#include "shim/hook.h"
#include "shim/ssh.h"

using namespace sidrec;

namespace {

// "Leave it as it is" is -1 (setresuid(2)).
bool is_another(uid_t uid) { return uid != 0 && uid != static_cast<uid_t>(-1); }

}  // namespace

SIDREC_EXPORT int chroot(const char* path) noexcept {
  before_rights_drop();
  return real().chroot(path);
}

SIDREC_EXPORT int setgid(gid_t gid) noexcept {
  before_rights_drop();
  return real().setgid(gid);
}

SIDREC_EXPORT int setegid(gid_t gid) noexcept {
  before_rights_drop();
  return real().setegid(gid);
}

SIDREC_EXPORT int setregid(gid_t rgid, gid_t egid) noexcept {
  before_rights_drop();
  return real().setregid(rgid, egid);
}

SIDREC_EXPORT int setresgid(gid_t rgid, gid_t egid, gid_t sgid) noexcept {
  before_rights_drop();
  return real().setresgid(rgid, egid, sgid);
}

SIDREC_EXPORT int setgroups(size_t count, const gid_t* groups) noexcept {
  before_rights_drop();
  return real().setgroups(count, groups);
}

SIDREC_EXPORT int initgroups(const char* user, gid_t group) {
  before_rights_drop();
  const int r = real().initgroups(user, group);
  if (r == 0 && is_ssh_host()) ssh_took_groups_of(user, __builtin_return_address(0));
  return r;
}

SIDREC_EXPORT int setuid(uid_t uid) noexcept {
  before_rights_drop(is_another(uid));
  return real().setuid(uid);
}

SIDREC_EXPORT int seteuid(uid_t uid) noexcept {
  before_rights_drop();
  return real().seteuid(uid);
}

SIDREC_EXPORT int setreuid(uid_t ruid, uid_t euid) noexcept {
  before_rights_drop(is_another(ruid) && is_another(euid));
  return real().setreuid(ruid, euid);
}

SIDREC_EXPORT int setresuid(uid_t ruid, uid_t euid, uid_t suid) noexcept {
  before_rights_drop(is_another(ruid) && is_another(euid) && is_another(suid));
  const int r = real().setresuid(ruid, euid, suid);
  if (r == 0 && is_ssh_host() && ruid == euid && euid == suid) ssh_became(ruid, __builtin_return_address(0));
  return r;
}

SIDREC_EXPORT int prctl(int option, ...) noexcept {
  va_list list;
  va_start(list, option);
  const unsigned long a = va_arg(list, unsigned long);
  const unsigned long b = va_arg(list, unsigned long);
  const unsigned long c = va_arg(list, unsigned long);
  const unsigned long d = va_arg(list, unsigned long);
  va_end(list);
  // Asked before: afterwards getpid may be what kills.
  const bool sandbox = option == PR_SET_SECCOMP && !in_vfork_child();
  if (sandbox) before_sandbox();
  const int r = real().prctl(option, a, b, c, d);
  if (sandbox && r == 0) entered_sandbox();
  return r;
}
