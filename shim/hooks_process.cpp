// Ways to make a process that pthread_atfork does not tell us of.
#include "shim/hook.h"

using namespace sidrec;

SIDREC_EXPORT pid_t _Fork(void) noexcept {
  about_to_fork();
  const pid_t pid = real()._Fork();
  if (pid == 0) after_fork_in_child();
  return pid;
}

SIDREC_EXPORT int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                              const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  about_to_fork();
  return real().posix_spawn(pid, path, actions, attributes, argv, envp);
}

SIDREC_EXPORT int posix_spawnp(pid_t* pid, const char* file, const posix_spawn_file_actions_t* actions,
                               const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  about_to_fork();
  return real().posix_spawnp(pid, file, actions, attributes, argv, envp);
}
