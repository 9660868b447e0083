// The victim that another one execs: it lies beside it.
#pragma once

#include <unistd.h>

#include <climits>
#include <string>

namespace victim {

inline std::string partner(const char* name) {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  const std::string self(path, size > 0 ? static_cast<size_t>(size) : 0);
  return self.substr(0, self.rfind('/') + 1) + name;
}

}  // namespace victim
