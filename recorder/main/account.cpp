#include "recorder/main/account.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>

namespace sidrec {

Result<Account> Account::find() {
  Account account;
  account.caller_ = ::getuid();
  std::array<char, PATH_MAX> program;
  const ssize_t length = ::readlink("/proc/self/exe", program.data(), program.size());
  if (length <= 0) return errno_error("cannot look at /proc/self/exe");
  const std::string path(program.data(), static_cast<size_t>(length));
  account.folder_ = path.substr(0, path.rfind('/'));
  struct stat found {};
  if (::stat("/proc/self/exe", &found) != 0) return errno_error("cannot look at " + path);
  if ((found.st_mode & S_ISUID) == 0 || found.st_uid == 0) return account;
  account.user_ = found.st_uid;
  account.group_ = found.st_gid;
  if (account.caller_ != 0 && ::geteuid() != account.user_) {
    return Error{path + " is set-user-id without effect: no_new_privs, or a file system mounted nosuid", EPERM};
  }
  return account;
}

std::optional<uid_t> Account::user_of_hosts() const {
  if (is_installed() && caller_ == user_) return std::nullopt;
  return is_installed() ? caller_ : ::geteuid();
}

bool Account::takes(int fd) const { return !is_installed() || ::fchown(fd, user_, group_) == 0; }

void Account::become_caller() const {
  if (caller_ == 0 && ::geteuid() != 0) (void)::seteuid(0);
}

Result<void> Account::settle() const {
  if (!is_installed()) return {};
  // Supplementary groups are root's to give up; those of another caller stay, and nothing of ours is open to a group
  // that he could be of.
  if (::getuid() == 0 && ::setgroups(0, nullptr) != 0) return errno_error("cannot give up groups");
  if (::setresgid(group_, group_, group_) != 0) return errno_error("cannot become group " + std::to_string(group_));
  if (::setresuid(user_, user_, user_) != 0) return errno_error("cannot become user " + std::to_string(user_));
  return {};
}

}  // namespace sidrec
