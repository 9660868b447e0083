// A sandboxed child that is compromised writes over everything it has mapped; its parent's
// connections, earlier and later, stay what they are.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cstdio>
#include <random>

#include "tests/victims/loopback.h"

using namespace victim;

namespace {

void enter_sandbox() {
  sock_filter allow_all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog program{1, allow_all};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) ::_exit(3);
}

struct Mapping {
  unsigned char* begin;
  size_t bytes;
};

size_t shared_mappings(Mapping (&mappings)[64]) {
  FILE* maps = ::fopen("/proc/self/maps", "r");
  char line[1024];
  size_t count = 0;
  while (maps && count < 64 && ::fgets(line, sizeof line, maps)) {
    unsigned long begin = 0, end = 0;
    char rights[5] = {};
    if (::sscanf(line, "%lx-%lx %4s", &begin, &end, rights) != 3 || std::strcmp(rights, "rw-s") != 0) continue;
    mappings[count++] = {reinterpret_cast<unsigned char*>(begin), end - begin};
  }
  if (maps) ::fclose(maps);
  return count;
}

[[noreturn]] void scribble(int go, int done) {
  enter_sandbox();
  Mapping mappings[64];
  const size_t count = shared_mappings(mappings);
  ::write(done, "s", 1);
  char byte;
  if (::read(go, &byte, 1) != 1 || (count == 0 && ::getenv("LD_PRELOAD") != nullptr)) ::_exit(4);
  std::minstd_rand dice(7);
  for (int round = 0; round < 40; ++round) {
    for (size_t i = 0; i < count; ++i) {
      for (size_t at = 0; at < mappings[i].bytes; at += 1 + dice() % 64) {
        mappings[i].begin[at] = static_cast<unsigned char>(round % 4 == 0 ? 0xff : dice());
      }
    }
  }
  ::write(done, "d", 1);
  *static_cast<volatile int*>(nullptr) = 1;  // and dies as such a process does
  ::_exit(5);
}

}  // namespace

int main() {
  const Loopback loopback;
  Connection& before = loopback.connect();
  exchange(before, "before there is a child");

  int go[2], done[2];
  expect("pipe", 0, [&] { return ::pipe(go); });
  expect("pipe", 0, [&] { return ::pipe(done); });
  const pid_t child = ::fork();
  if (child == 0) scribble(go[0], done[1]);
  ::close(go[0]);
  ::close(done[1]);
  char byte = 0;
  expect("it is in its sandbox", 1, [&] { return ::read(done[0], &byte, 1); });
  expect("go", 1, [&] { return ::write(go[1], "g", 1); });
  // While it does its worst, and afterwards.
  for (int i = 0; i < 200; ++i) exchange(before, "meanwhile");
  expect("it has done its worst", 1, [&] { return ::read(done[0], &byte, 1); });
  exchange(before, "and after it");
  Connection& later = loopback.connect();
  exchange(later, "opened after it");
  int status = 0;
  ::waitpid(child, &status, 0);
  check("it died of SIGSEGV", WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  close_host_end(before);
  close_host_end(later);
  return finish();
}
