// Locks of whole files that belong to an open file description (F_OFD_SETLK, fcntl(2)): the kernel frees one with the
// last descriptor of that description, and who only looks is in nobody's way.
#pragma once

#include <fcntl.h>

namespace sidrec {

inline struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// `type`: F_RDLCK, for which `fd` must be readable, or F_WRLCK: writable. False with errno; EAGAIN or EACCES: another
// description's is in the way.
inline bool lock_file(int fd, short type) {
  struct flock lock = whole_file(type);
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// Whether another description holds one. Also where that cannot be said.
inline bool is_locked_by_another(int fd) {
  struct flock lock = whole_file(F_WRLCK);
  return ::fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

}  // namespace sidrec
