#include "shim/group_file.h"

#include <fcntl.h>

#include "shim/sys.h"

namespace sidrec {
namespace {

// One line NAME:PASSWORD:GID:MEMBERS after the other, character by character: members may be more than any buffer
// holds.
class Search {
 public:
  explicit Search(const char* name) : name_(name) {}

  // True when the line that has just ended is that group's.
  bool take(char c) {
    if (c == '\n') {
      const bool found = is_name_ && field_ >= 2 && digits_ > 0;
      if (!found) *this = Search(name_);
      return found;
    }
    if (c == ':') {
      if (field_ == 0) is_name_ = is_name_ && name_[at_] == '\0';
      ++field_;
    } else if (field_ == 0) {
      is_name_ = is_name_ && name_[at_] == c;
      if (is_name_) ++at_;
    } else if (field_ == 2) {
      if (c < '0' || c > '9') is_name_ = false;
      gid_ = gid_ * 10 + static_cast<uint32_t>(c - '0');
      ++digits_;
    }
    return false;
  }
  uint32_t gid() const { return gid_; }

 private:
  const char* name_;
  uint32_t at_ = 0, field_ = 0, gid_ = 0, digits_ = 0;
  bool is_name_ = true;
};

bool is_number(const char* name, uint32_t& gid) {
  gid = 0;
  const char* p = name;
  for (; *p >= '0' && *p <= '9'; ++p) gid = gid * 10 + static_cast<uint32_t>(*p - '0');
  return p != name && *p == '\0';
}

}  // namespace

bool find_group(const char* name, uint32_t& gid) {
  if (is_number(name, gid)) return true;
  const long fd = sys::call(SYS_openat, AT_FDCWD, sys::arg("/etc/group"), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  Search search(name);
  bool found = false;
  char part[4096];
  long got = 0;
  while (!found && (got = sys::call(SYS_read, fd, sys::arg(part), sizeof part)) > 0) {
    for (long i = 0; i < got && !found; ++i) found = search.take(part[i]);
  }
  found = found || search.take('\n');  // a last line without its end
  sys::call(SYS_close, fd);
  gid = search.gid();
  return found;
}

}  // namespace sidrec
