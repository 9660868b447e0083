#include "recorder/cli/identity.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace sidrec::cli {
namespace {

constexpr int kMaxGroups = 1024;

std::optional<uint32_t> number_of(const std::string& text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

bool mode_allows(const Identity& who, const struct stat& file, int wanted) {
  const mode_t mode = file.st_mode;
  // root may read and write everything, and execute what somebody may (capabilities(7)).
  if (who.uid == 0) return (wanted & X_OK) == 0 || S_ISDIR(mode) || (mode & 0111) != 0;
  const int shift = who.uid == file.st_uid ? 6 : who.is_in(file.st_gid) ? 3 : 0;
  return (static_cast<int>(mode >> shift) & wanted) == wanted;
}

}  // namespace

std::string Identity::name() const {
  if (uid == 0) return "root";
  const passwd* entry = getpwuid(uid);
  return "user " + (entry == nullptr ? std::to_string(uid) : std::string(entry->pw_name));
}

bool Identity::is_in(gid_t group) const {
  return gid == group || std::find(groups.begin(), groups.end(), group) != groups.end();
}

Identity own_identity() {
  Identity who{geteuid(), getegid(), std::vector<gid_t>(kMaxGroups)};
  const int count = getgroups(kMaxGroups, who.groups.data());
  who.groups.resize(static_cast<size_t>(std::max(count, 0)));
  return who;
}

std::optional<Identity> identity_of_user(const std::string& user) {
  const auto number = number_of(user);
  const passwd* entry = number ? getpwuid(*number) : getpwnam(user.c_str());
  if (entry == nullptr) return number ? std::optional(Identity{*number, *number, {}}) : std::nullopt;
  Identity who{entry->pw_uid, entry->pw_gid, std::vector<gid_t>(kMaxGroups)};
  int count = kMaxGroups;
  const int got = getgrouplist(entry->pw_name, entry->pw_gid, who.groups.data(), &count);
  who.groups.resize(static_cast<size_t>(std::max(got, 0)));
  return who;
}

std::optional<gid_t> group_named(const std::string& name) {
  if (const auto number = number_of(name)) return *number;
  const ::group* entry = getgrnam(name.c_str());
  return entry == nullptr ? std::nullopt : std::optional(entry->gr_gid);
}

std::string home_of(uid_t uid) {
  const passwd* entry = getpwuid(uid);
  return entry == nullptr ? std::string() : entry->pw_dir;
}

bool may_access(const Identity& who, const std::string& path, int mode) {
  if (who.uid == geteuid()) return faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
  const size_t slash = path.rfind('/');
  const bool reachable =
      slash == std::string::npos || path == "/" || may_access(who, slash == 0 ? "/" : path.substr(0, slash), X_OK);
  struct stat file {};
  return reachable && stat(path.c_str(), &file) == 0 && mode_allows(who, file, mode);
}

}  // namespace sidrec::cli
