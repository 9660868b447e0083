// What a host could notice of another process being started beside it.
#pragma once

#include <sys/stat.h>

#include <csignal>

#include "tests/victims/loopback.h"
#include "tests/victims/process_view.h"

namespace victim {

inline volatile sig_atomic_t child_signals = 0;

inline void count_child_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { child_signals = child_signals + 1; };
  ::sigaction(SIGCHLD, &action, nullptr);
}

inline std::string waited(int flags) {
  int status = 0;
  errno = 0;
  const pid_t pid = ::waitpid(-1, &status, WNOHANG | flags);
  if (pid == -1) return errno == ECHILD ? "ECHILD" : "errno " + std::to_string(errno);
  return pid == 0 ? "a child alive" : "a child ended";
}

inline std::string blocked_signals() {
  sigset_t mask;
  ::sigemptyset(&mask);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  std::string list;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (::sigismember(&mask, signal) == 1) list += std::to_string(signal) + " ";
  }
  return list;
}

inline std::string handled_signals() {
  std::string list;
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_DFL)
      list += std::to_string(signal) + " ";
  }
  return list;
}

struct View {
  std::string descriptors = victim::descriptors();
  size_t tasks = victim::tasks();
  size_t children = victim::children();
  std::string blocked = blocked_signals();
  std::string handled = handled_signals();
  pid_t group = ::getpgrp();
  pid_t session = ::getsid(0);
  pid_t parent = ::getppid();
  mode_t file_mask = [] {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return mask;
  }();
};

inline void expect_unnoticed(const View& before) {
  observed("waitpid_minus_one", waited(0));
  observed("waitpid_minus_one_wall", waited(__WALL));
  observed("waitpid_minus_one_wclone", waited(__WCLONE));
  for (const int flags : {0, static_cast<int>(__WALL), static_cast<int>(__WCLONE)})
    check("waitpid(-1) finds no child", waited(flags) == "ECHILD");
  const View now;
  check("no SIGCHLD arrived", child_signals == 0);
  check("no process has us for a parent", now.children == 0 && before.children == 0);
  check("descriptors are the same", now.descriptors == before.descriptors);
  check("threads are the same", now.tasks == before.tasks);
  check("the signal mask is the same", now.blocked == before.blocked);
  check("the handlers are the same", now.handled == before.handled);
  check("process group, session and parent are the same",
        now.group == before.group && now.session == before.session && now.parent == before.parent);
  check("the file mode mask is the same", now.file_mask == before.file_mask);
  observed("descriptors", now.descriptors);
  observed("tasks", std::to_string(now.tasks));
  observed("blocked_signals", now.blocked);
  observed("handled_signals", now.handled);
}

}  // namespace victim
