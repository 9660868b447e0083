// As whom a program runs, and what that user may do with a file by its mode. Access control lists are not looked at,
// except for this command's own user, whom the kernel is asked about.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "recorder/base/result.h"

namespace sidrec::cli {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones

  std::string name() const;  // "user redis", "user 1234"
  bool is_in(gid_t group) const;
};

Identity own_identity();
// A name or a number, as User= of systemd takes them; nothing if there is no such user.
std::optional<Identity> identity_of_user(const std::string& user);
std::optional<gid_t> group_named(const std::string& group);
std::string home_of(uid_t uid);

// `mode`: R_OK, W_OK, X_OK or several. Also whether the directories above let one through.
bool may_access(const Identity& who, const std::string& path, int mode);

}  // namespace sidrec::cli
