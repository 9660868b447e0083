// Account: as whom a recorder runs, and whom it believes (DESIGN D13). For main() alone, before any thread.
//
// The recorder is *installed* when its program is set-user-id to somebody who is not root: it then runs as that user,
// whoever started it. Root's ring it opens as root before it gives root up, or as the user whose it is already; anybody
// else's word counts for nothing but what a session is called: directories and settings are the installation's own, and
// the ring is made by us. Not installed, it runs as its host does.
//
// credentials(7), execve(2): of an exec by root the real user stays root; no_new_privs and nosuid make the bit
// powerless.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "recorder/base/result.h"

namespace sidrec {

class Account {
 public:
  // What the kernel says of this process and its program. Changes nothing.
  static Result<Account> find();

  bool is_installed() const { return user_ != 0; }
  bool is_started_by_root() const { return caller_ == 0; }
  // The one who started us may name a ring: root, or another recorder, for one that has died.
  bool believes_caller() const { return !is_installed() || is_started_by_root() || caller_ == user_; }
  const std::string& folder() const { return folder_; }  // the program's

  // Makes a file our user's, before settle(); false where root may not do that. Where it is not installed it stays as
  // it is.
  bool takes(int fd) const;
  // Takes up root's rights, if root started us.
  void become_caller() const;
  // The user of the hosts it may wait for when it has recorded one: who started it, and nobody else, for theirs are the
  // limits and the control group it has. Nobody where another recorder did.
  std::optional<uid_t> user_of_hosts() const;

  // Gives up all but its own user's rights, for ever. Where it is not installed, or has done so before, there is
  // nothing to give up.
  [[nodiscard]] Result<void> settle() const;

 private:
  uid_t user_ = 0;  // 0: not installed
  gid_t group_ = 0;
  uid_t caller_ = 0;
  std::string folder_;
};

}  // namespace sidrec
