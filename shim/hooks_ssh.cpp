// What only sshd is watched for: its terminals, and PAM's word that a session is open.
#include <dlfcn.h>
#include <pty.h>
#include <sys/ioctl.h>

#include <cstdarg>

#include "shim/hook.h"
#include "shim/ssh.h"

using namespace sidrec;

SIDREC_EXPORT int openpty(int* master, int* slave, char* name, const termios* terminal, const winsize* size) noexcept {
  const int r = real().openpty(master, slave, name, terminal, size);
  if (r != 0) return r;
  newborn_untracked(*master);
  newborn_untracked(*slave);
  if (is_ssh_host()) ssh_made_pty(*master, __builtin_return_address(0));
  return r;
}

SIDREC_EXPORT int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list list;
  va_start(list, request);
  void* argument = va_arg(list, void*);
  va_end(list);
  const int r = real().ioctl(fd, request, argument);
  if (r == 0 && request == TIOCSWINSZ && is_ssh_host()) ssh_resized(fd, argument);
  return r;
}

// libpam is the host's, not ours: what we need of it is looked up where it is.
namespace {
using OpenSession = int (*)(void* handle, int flags);
using GetItem = int (*)(const void* handle, int item, const void** value);
constexpr int kPamSuccess = 0, kPamSystemErr = 4, kPamUser = 2;  // security/_pam_types.h
}  // namespace

SIDREC_EXPORT int pam_open_session(void* handle, int flags) {
  const auto open_session = reinterpret_cast<OpenSession>(dlsym(RTLD_NEXT, "pam_open_session"));
  if (!open_session) return kPamSystemErr;
  const int r = open_session(handle, flags);
  if (r != kPamSuccess || !is_ssh_host()) return r;
  const auto get_item = reinterpret_cast<GetItem>(dlsym(RTLD_NEXT, "pam_get_item"));
  const void* user = nullptr;
  if (get_item && get_item(handle, kPamUser, &user) == kPamSuccess && user) {
    ssh_opened_session(static_cast<const char*>(user));
  }
  return r;
}
