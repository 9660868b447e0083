// Giving up root, for good or for a while. For another user these do nothing: the victim then shows little.
#pragma once

#include <grp.h>
#include <unistd.h>

#include "tests/victims/victim.h"

namespace victim {

inline constexpr unsigned kNobody = 65534;

inline void give_up_root() {
  if (::geteuid() != 0) return;
  expect("setgroups", 0, [] { return ::setgroups(0, nullptr); });
  expect("setgid", 0, [] { return ::setgid(kNobody); });
  expect("setuid", 0, [] { return ::setuid(kNobody); });
}

inline bool keeps_root() {
  uid_t real = kNobody, effective = kNobody, saved = kNobody;
  return ::getresuid(&real, &effective, &saved) == 0 && (real == 0 || saved == 0);
}

inline void put_root_aside() {
  if (!keeps_root()) return;
  expect("setegid", 0, [] { return ::setegid(kNobody); });
  expect("seteuid", 0, [] { return ::seteuid(kNobody); });
}

inline void take_root_up() {
  if (!keeps_root()) return;
  expect("seteuid", 0, [] { return ::seteuid(0); });
  expect("setegid", 0, [] { return ::setegid(0); });
}

}  // namespace victim
