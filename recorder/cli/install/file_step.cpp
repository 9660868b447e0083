#include "recorder/cli/install/file_step.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "recorder/base/unique_fd.h"
#include "recorder/cli/file_text.h"
#include "recorder/cli/printable.h"

namespace sidrec::cli {
namespace {

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::optional<mode_t> type_of(const std::string& path) {
  struct stat file {};
  return ::lstat(path.c_str(), &file) == 0 ? std::optional(file.st_mode & S_IFMT) : std::nullopt;
}

std::optional<std::string> link_target(const std::string& path) {
  std::error_code failed;
  const auto target = std::filesystem::read_symlink(path, failed);
  return failed ? std::nullopt : std::optional(target.string());
}

Result<void> write_all(int fd, const std::string& text) {
  for (size_t written = 0; written < text.size();) {
    const ssize_t put = ::write(fd, text.data() + written, text.size() - written);
    if (put < 0 && errno != EINTR) return errno_error("write");
    if (put > 0) written += static_cast<size_t>(put);
  }
  if (::fchmod(fd, 0644) != 0 || ::fsync(fd) != 0) return errno_error("write");
  return {};
}

// Under another name first: a reader finds the old file or the new one, whole (rename(2)).
Result<void> write_atomically(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".sidrec-new";
  ::unlink(fresh.c_str());
  const UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return errno_error("cannot write " + printable(path));
  const auto written = write_all(file.get(), text);
  if (written && ::rename(fresh.c_str(), path.c_str()) == 0) return {};
  const int code = written ? errno : written.error().code;
  ::unlink(fresh.c_str());
  return errno_error("cannot write " + printable(path), code);
}

Result<void> check_way(const std::string& path) {
  const std::string folder = folder_of(path);
  const auto type = type_of(folder);
  if (type && *type != S_IFDIR) {
    return Error{printable(folder) + " is no directory but a link or file: replace it by a directory", ENOTDIR};
  }
  const auto own = type_of(path);
  if (own && *own != S_IFREG) return Error{printable(path) + " is no ordinary file: remove it", EEXIST};
  return {};
}

class WriteFile : public Step {
 public:
  WriteFile(std::string path, std::string text, bool only_if_absent)
      : path_(std::move(path)), text_(std::move(text)), only_if_absent_(only_if_absent) {}

  std::string what() const override { return "write " + printable(path_); }
  std::string contents() const override { return whole_text(); }
  Result<bool> is_done() const override {
    if (auto way = check_way(path_); !way) return way.error();
    if (!type_of(path_)) return false;
    if (only_if_absent_) return true;
    if (!is_written_by_us(path_)) {
      return Error{printable(path_) + " is not of \"sidrec install\": move it away, then run this again", EEXIST};
    }
    return file_text(path_) == whole_text();
  }
  Result<void> apply() override {
    if (type_of(path_)) former_ = file_text(path_);
    const std::string folder = folder_of(path_);
    made_folder_ = ::mkdir(folder.c_str(), 0755) == 0;
    if (!made_folder_ && errno != EEXIST) return errno_error("cannot make " + printable(folder));
    auto written = write_atomically(path_, whole_text());
    if (!written && made_folder_) ::rmdir(folder.c_str());
    return written;
  }
  void take_back() override {
    if (former_) {
      (void)write_atomically(path_, *former_);
    } else {
      ::unlink(path_.c_str());
    }
    if (made_folder_) ::rmdir(folder_of(path_).c_str());
  }

 private:
  std::string whole_text() const { return only_if_absent_ ? text_ : std::string(kWrittenByUs) + text_; }

  std::string path_, text_;
  bool only_if_absent_;
  std::optional<std::string> former_;
  bool made_folder_ = false;
};

class MakeLink : public Step {
 public:
  MakeLink(std::string path, std::string target) : path_(std::move(path)), target_(std::move(target)) {}

  std::string what() const override { return "link " + printable(path_) + " to " + printable(target_); }
  Result<bool> is_done() const override {
    const auto type = type_of(path_);
    if (type && *type != S_IFLNK) return Error{printable(path_) + " is not a link of ours: move it away", EEXIST};
    return type && link_target(path_) == target_;
  }
  Result<void> apply() override {
    former_ = link_target(path_);
    return point_to(target_);
  }
  void take_back() override {
    if (former_) {
      (void)point_to(*former_);
    } else {
      ::unlink(path_.c_str());
    }
  }

 private:
  Result<void> point_to(const std::string& target) {
    const std::string fresh = path_ + ".sidrec-new";
    ::unlink(fresh.c_str());
    if (::symlink(target.c_str(), fresh.c_str()) == 0 && ::rename(fresh.c_str(), path_.c_str()) == 0) return {};
    const int code = errno;
    ::unlink(fresh.c_str());
    return errno_error("cannot make the link " + printable(path_), code);
  }

  std::string path_, target_;
  std::optional<std::string> former_;
};

enum class Removed { kAny, kOurs, kOursAndFolder, kLink };

class RemoveFile : public Step {
 public:
  RemoveFile(std::string path, Removed which) : path_(std::move(path)), which_(which) {}

  std::string what() const override { return "remove " + printable(path_); }
  Result<bool> is_done() const override {
    switch (which_) {
      case Removed::kAny: return !type_of(path_);
      case Removed::kLink: return !link_target(path_);
      case Removed::kOurs:
      case Removed::kOursAndFolder: break;
    }
    return !is_written_by_us(path_);
  }
  Result<void> apply() override {
    link_ = link_target(path_);
    if (!link_) former_ = file_text(path_);
    if (::unlink(path_.c_str()) != 0) return errno_error("cannot remove " + printable(path_));
    removed_folder_ = which_ == Removed::kOursAndFolder && ::rmdir(folder_of(path_).c_str()) == 0;
    return {};
  }
  void take_back() override {
    if (removed_folder_) ::mkdir(folder_of(path_).c_str(), 0755);
    if (link_) {
      (void)!::symlink(link_->c_str(), path_.c_str());
    } else {
      (void)write_atomically(path_, former_);
    }
  }

 private:
  std::string path_, former_;
  Removed which_;
  std::optional<std::string> link_;
  bool removed_folder_ = false;
};

}  // namespace

bool is_written_by_us(const std::string& path) { return file_text(path).starts_with(kWrittenByUs); }

std::unique_ptr<Step> write_our_file(const std::string& path, const std::string& text) {
  return std::make_unique<WriteFile>(path, text, false);
}
std::unique_ptr<Step> write_new_file(const std::string& path, const std::string& text) {
  return std::make_unique<WriteFile>(path, text, true);
}
std::unique_ptr<Step> make_link(const std::string& path, const std::string& target) {
  return std::make_unique<MakeLink>(path, target);
}
std::unique_ptr<Step> remove_file(const std::string& path) { return std::make_unique<RemoveFile>(path, Removed::kAny); }
std::unique_ptr<Step> remove_our_file(const std::string& path) {
  return std::make_unique<RemoveFile>(path, Removed::kOurs);
}
std::unique_ptr<Step> remove_our_file_and_folder(const std::string& path) {
  return std::make_unique<RemoveFile>(path, Removed::kOursAndFolder);
}
std::unique_ptr<Step> remove_link(const std::string& path) {
  return std::make_unique<RemoveFile>(path, Removed::kLink);
}

}  // namespace sidrec::cli
