#include "recorder/cli/install/ownership_step.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "recorder/cli/identity.h"
#include "recorder/cli/install/program.h"
#include "recorder/cli/printable.h"

namespace sidrec::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kComment = "sidrec session recorder";
constexpr mode_t kRecorderMode = 06750, kPlainMode = 0755;

struct Ownership {
  uid_t uid;
  gid_t gid;
  mode_t mode;
  bool operator==(const Ownership&) const = default;
};

std::optional<Ownership> ownership_of(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return std::nullopt;
  return Ownership{file.st_uid, file.st_gid, file.st_mode & 07777};
}

// chown clears the set-id bits (chown(2)), so the mode comes second.
Result<void> set_ownership(const std::string& path, const Ownership& to) {
  if (::lchown(path.c_str(), to.uid, to.gid) != 0 || ::chmod(path.c_str(), to.mode) != 0) {
    return errno_error("cannot give " + printable(path) + " to user " + std::to_string(to.uid));
  }
  return {};
}

// None as long as there is no such user.
std::optional<Ownership> ownership_of_user(const std::string& group, mode_t mode) {
  const auto user = identity_of_user(kUser);
  if (!user) return std::nullopt;
  return Ownership{user->uid, group_named(group).value_or(user->gid), mode};
}

bool is_made_by_us() {
  const passwd* entry = ::getpwnam(kUser);
  return entry != nullptr && std::string_view(entry->pw_gecos) == kComment;
}

Result<void> add_user() {
  return run_tool({"useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell",
                   "/usr/sbin/nologin", "--comment", kComment, kUser});
}
Result<void> delete_user() { return run_tool({"userdel", kUser}); }

class MakeUser : public Step {
 public:
  std::string what() const override { return std::string("make the system user and group ") + kUser; }
  Result<bool> is_done() const override {
    const auto user = identity_of_user(kUser);
    if (!user && !group_named(kUser)) return false;
    if (user && user->uid != 0 && group_named(kUser) == user->gid) return true;
    return Error{std::string("there is a user or group ") + kUser +
                 " that cannot be the recorder's, which is a user, not root, with a group of its name: rename it"};
  }
  Result<void> apply() override { return add_user(); }
  void take_back() override { (void)delete_user(); }
};

class RemoveUser : public Step {
 public:
  std::string what() const override { return std::string("remove the user and group ") + kUser; }
  Result<bool> is_done() const override { return !is_made_by_us(); }
  Result<void> apply() override { return delete_user(); }
  void take_back() override { (void)add_user(); }
};

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

// Nothing but empty directories and logs: what a trial leaves behind.
bool holds_nothing(const std::string& path) {
  std::error_code failed;
  for (const auto& entry : fs::recursive_directory_iterator(path, failed)) {
    const auto kind = entry.symlink_status(failed).type();
    if (kind != fs::file_type::directory && entry.path().extension() != ".log") return false;
  }
  return !failed;
}

class MakeDirectory : public Step {
 public:
  MakeDirectory(std::string path, std::string group, mode_t mode)
      : path_(std::move(path)), group_(std::move(group)), mode_(mode) {}

  std::string what() const override {
    return "make " + printable(path_) + " for " + kUser + ":" + (group_named(group_) ? group_ : kUser) + ", mode " +
           octal(mode_);
  }
  Result<bool> is_done() const override {
    const auto found = ownership_of(path_);
    if (!found) return false;
    if (!fs::is_directory(fs::symlink_status(path_))) return Error{printable(path_) + " is no directory: move it away"};
    if (found == ownership_of_user(group_, mode_)) return true;
    const auto user = identity_of_user(kUser);
    if ((user && found->uid == user->uid) || holds_nothing(path_)) return false;
    return Error{printable(path_) + " is not " + kUser +
                 "'s and is not empty: stop what is recorded there, and move it "
                 "away or hand it over (chown -R " +
                 kUser + " " + printable(path_) + ")"};
  }
  Result<void> apply() override {
    former_ = ownership_of(path_);
    std::error_code failed;
    if (former_ && holds_nothing(path_)) {
      for (const auto& entry : fs::directory_iterator(path_, failed)) fs::remove_all(entry.path(), failed);
    }
    if (!former_) {
      fs::create_directories(fs::path(path_).parent_path(), failed);
      if (::mkdir(path_.c_str(), 0700) != 0) return errno_error("cannot make " + printable(path_));
    }
    auto given = set_ownership(path_, *ownership_of_user(group_, mode_));
    if (!given && !former_) ::rmdir(path_.c_str());
    return given;
  }
  void take_back() override {
    if (former_) {
      (void)set_ownership(path_, *former_);
    } else {
      ::rmdir(path_.c_str());
    }
  }

 private:
  std::string path_, group_;
  mode_t mode_;
  std::optional<Ownership> former_;
};

class RemoveDirectory : public Step {
 public:
  explicit RemoveDirectory(std::string path) : path_(std::move(path)) {}

  std::string what() const override { return "remove " + printable(path_); }
  Result<bool> is_done() const override { return !ownership_of(path_); }
  Result<void> apply() override {
    former_ = ownership_of(path_);
    if (::rmdir(path_.c_str()) != 0) return errno_error("cannot remove " + printable(path_));
    return {};
  }
  void take_back() override {
    if (::mkdir(path_.c_str(), 0700) == 0) (void)set_ownership(path_, *former_);
  }

 private:
  std::string path_;
  std::optional<Ownership> former_;
};

class GiveProgram : public Step {
 public:
  GiveProgram(std::string path, bool to_user) : path_(std::move(path)), to_user_(to_user) {}

  std::string what() const override {
    return to_user_ ? "give " + printable(path_) + " to " + kUser + ":" + kUser + ", mode " + octal(kRecorderMode)
                    : "give " + printable(path_) + " back to root, mode " + octal(kPlainMode);
  }
  Result<bool> is_done() const override {
    const auto found = ownership_of(path_);
    if (!found) return errno_error("cannot look at " + printable(path_));
    return found == wanted();
  }
  Result<void> apply() override {
    former_ = ownership_of(path_);
    return set_ownership(path_, *wanted());
  }
  void take_back() override { (void)set_ownership(path_, *former_); }

 private:
  std::optional<Ownership> wanted() const {
    return to_user_ ? ownership_of_user(kUser, kRecorderMode) : Ownership{0, 0, kPlainMode};
  }

  std::string path_;
  bool to_user_;
  std::optional<Ownership> former_;
};

}  // namespace

std::unique_ptr<Step> make_user() { return std::make_unique<MakeUser>(); }
std::unique_ptr<Step> remove_user() { return std::make_unique<RemoveUser>(); }
std::unique_ptr<Step> make_directory(const std::string& path, const std::string& group, mode_t mode) {
  return std::make_unique<MakeDirectory>(path, group, mode);
}
std::unique_ptr<Step> remove_directory(const std::string& path) { return std::make_unique<RemoveDirectory>(path); }
std::unique_ptr<Step> give_to_user(const std::string& program) { return std::make_unique<GiveProgram>(program, true); }
std::unique_ptr<Step> give_to_root(const std::string& program) { return std::make_unique<GiveProgram>(program, false); }

}  // namespace sidrec::cli
