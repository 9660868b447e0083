#include "shim/inherited.h"

#include <dirent.h>
#include <fcntl.h>

#include <cstdint>

#include "shim/capture.h"
#include "shim/sys.h"
#include "shim/tcp.h"

namespace sidrec {
namespace {

struct Dirent {  // getdents64(2)
  uint64_t ino;
  int64_t off;
  uint16_t length;
  uint8_t type;
  char name[1];
};

int number(const char* name) {
  int value = 0;
  for (; *name >= '0' && *name <= '9'; ++name) value = value * 10 + (*name - '0');
  return *name ? -1 : value;
}

void classify(int fd) {
  if (is_listening(fd))
    born_listener(fd);
  else
    born_client(fd, ring::kInherited);
}

}  // namespace

void classify_inherited() {
  alignas(Dirent) char buffer[4096];
  const long dir = sys::call(SYS_openat, AT_FDCWD, sys::arg("/proc/self/fd"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return;
  long n;
  while ((n = sys::call(SYS_getdents64, dir, sys::arg(buffer), sizeof buffer)) > 0) {
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const Dirent*>(buffer + at);
      const int fd = number(entry->name);
      if (fd >= 0 && fd != dir) classify(fd);
      at += entry->length;
    }
  }
  sys::call(SYS_close, dir);
}

}  // namespace sidrec
