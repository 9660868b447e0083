#include "recorder/cli/place_check.h"

#include <grp.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "recorder/cli/printable.h"

namespace sidrec::cli {
namespace {

constexpr uint64_t kMiB = 1024 * 1024;
constexpr uint64_t kLeastFree = 8 * kMiB;    // a listener's ring and those of a few children
constexpr uint64_t kAmpleFree = 128 * kMiB;  // a spool of full size, a day's trails of a small service

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string nearest_existing(std::string path) {
  while (!exists(path) && path != "/") path = parent_of(path);
  return path;
}

bool is_read_only(const std::string& path) {
  struct statvfs system {};
  return statvfs(path.c_str(), &system) == 0 && (system.f_flag & ST_RDONLY) != 0;
}

bool is_tmpfs(const std::string& path) {
  struct statfs system {};
  if (statfs(path.c_str(), &system) != 0) return false;
  return system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
}

std::string shown(const std::string& path, const std::string& root) {
  return printable(path.size() > root.size() ? path.substr(root.size()) : path);
}

void check_free_space(Findings& findings, Directory which, const std::string& path, const std::string& root) {
  const DirectoryWords words = words_of(which);
  struct statvfs system {};
  if (statvfs(path.c_str(), &system) != 0) return;
  const uint64_t free = uint64_t{system.f_bavail} * system.f_frsize;
  if (free >= kAmpleFree) return;
  const std::string what = "Only " + std::to_string(free / kMiB) + " MiB are free in " + shown(path, root) + ".";
  const std::string why = which == Directory::kRun ? "Every recorded process needs room for its ring there."
                                                   : "A trail that cannot grow has gaps.";
  const std::string remedy = std::string("Make room, or set ") + words.variable + " to a larger file system.";
  if (free < kLeastFree) {
    findings.problem(words.check, what, why, remedy);
  } else {
    findings.note(words.check, what, why, remedy);
  }
}

void check_set_user_id(Findings& findings, const struct stat& file, const std::string& path, const Identity& who) {
  if ((file.st_mode & S_ISUID) == 0) {
    if (who.uid == 0) return findings.ok("recorder", printable(path) + " is there and can be executed.");
    return findings.note("recorder", "Recorders will run as " + who.name() + ", like the program itself.",
                         "Whoever takes over the program can change its trails.",
                         "Fine for a trial; README.md says how " + printable(path) + " gets a user of its own.");
  }
  if (file.st_uid == 0) {
    return findings.problem("recorder", printable(path) + " is set-user-id root.",
                            "It reads hostile bytes and must never have root's rights.",
                            "Remove the bit with chmod u-s, or give the file to a user of its own.");
  }
  struct statvfs system {};
  if (statvfs(path.c_str(), &system) == 0 && (system.f_flag & ST_NOSUID) != 0) {
    return findings.note("recorder", printable(path) + " is set-user-id on a file system mounted nosuid.",
                         "The kernel ignores the bit, and recorders run as " + who.name() + ".",
                         "Install sidrec on a file system that is mounted without nosuid.");
  }
  findings.ok("recorder", printable(path) + " is there and runs as " + Identity{file.st_uid, 0, {}}.name() + ".");
}

}  // namespace

DirectoryWords words_of(Directory which) {
  if (which == Directory::kAudit) return {"audit directory", "SIDREC_AUDIT_DIR"};
  return {"run directory", "SIDREC_RUN_DIR"};
}

std::optional<std::string> obstacle_to_writing(const std::string& path, const Identity& who) {
  const std::string nearest = nearest_existing(path);
  if (!std::filesystem::is_directory(nearest)) return nearest;
  std::string way;
  for (const auto& part : std::filesystem::path(nearest)) {
    way = (std::filesystem::path(way) / part).string();
    if (!may_access(who, way, X_OK)) return way;
  }
  if (!may_access(who, nearest, W_OK | X_OK) || is_read_only(nearest)) return nearest;
  return std::nullopt;
}

void check_file_system(Findings& findings, Directory which, const std::string& path, const std::string& root) {
  const DirectoryWords words = words_of(which);
  const std::string nearest = nearest_existing(root + path);
  if (which == Directory::kRun && !is_tmpfs(nearest)) {
    findings.note(words.check, printable(path) + " is not on a tmpfs.",
                  "Each recorded process starts some milliseconds later, and rings are written to a disk.",
                  "Set SIDREC_RUN_DIR to a directory below /run or /dev/shm.");
  }
  struct stat file {};
  if (stat((root + path).c_str(), &file) == 0 && (file.st_mode & S_IWOTH) != 0) {
    findings.note(words.check, "Everybody may write to " + printable(path) + ".",
                  "A stranger could put a false trail or socket there.", "Run chmod o-w " + printable(path) + ".");
  }
  check_free_space(findings, which, nearest, root);
}

void check_directory(Findings& findings, Directory which, const std::string& path, const Identity& who,
                     const std::string& root) {
  const DirectoryWords words = words_of(which);
  const std::string written = root + path + (which == Directory::kRun ? "/rings" : "");
  if (const auto obstacle = obstacle_to_writing(written, who)) {
    findings.problem(words.check, who.name() + " cannot write to " + shown(*obstacle, root) + ".",
                     printable(path) + " is where " + (which == Directory::kRun ? "rings and sockets" : "trails") +
                         " go; without it nothing is recorded.",
                     "Create it for " + who.name() + " or one of its groups, or set " + words.variable + ".");
  } else if (exists(root + path)) {
    findings.ok(words.check, printable(path) + " is there, and " + who.name() + " can write to it.");
  } else {
    findings.ok(words.check, printable(path) + " is not there yet, and " + who.name() + " can create it.");
  }
  check_file_system(findings, which, path, root);
}

void check_file_size_limit(Findings& findings, uint64_t limit, const std::string& named) {
  constexpr uint64_t kRingBytes = 2 * 1024 * 1024 + 128 * 1024;  // by default, with its header and lane controls
  const std::string what = named + " is " + std::to_string(limit) + " bytes.";
  if (limit < kRingBytes) {
    findings.problem("file size", what, "The ring does not fit, so nothing is recorded.",
                     "Raise it (LimitFSIZE=infinity, ulimit -f unlimited).");
  } else {
    findings.note("file size", what, "The recorder inherits it: a trail that reaches it cannot grow.",
                  "Raise it (LimitFSIZE=infinity, ulimit -f unlimited).");
  }
}

Identity writer_of(const RecorderFile& recorder, const Identity& starter, const std::string& path,
                   const std::string& root) {
  if (!recorder.is_installed || (starter.uid == 0 && !exists(root + path))) return starter;
  return recorder.user;
}

// Those who may start it are its group.
void refuse_to_stranger(Findings& findings, const RecorderFile& recorder, const Identity& who) {
  const ::group* entry = getgrgid(recorder.user.gid);
  const std::string group = entry == nullptr ? std::to_string(recorder.user.gid) : std::string(entry->gr_name);
  findings.problem("recorder", who.name() + " may not execute " + printable(recorder.path) + ".",
                   "Only members of its group " + group + " may have their programs recorded.",
                   "Add SupplementaryGroups=" + group + " to the unit, or let the user be a member of it.",
                   {"SupplementaryGroups=" + group});
}

void check_recorder(Findings& findings, const std::string& library, const Identity& who, const std::string& root) {
  const RecorderFile recorder = RecorderFile::beside(library, root);
  const std::string& path = recorder.path;
  if (recorder.serves_a_stranger(who) && !who.is_in(recorder.user.gid) && who.uid != recorder.user.uid) {
    return refuse_to_stranger(findings, recorder, who);
  }
  struct stat file {};
  if (stat((root + path).c_str(), &file) != 0 || !may_access(who, root + path, X_OK)) {
    findings.problem("recorder", who.name() + " cannot execute " + printable(path) + ".",
                     "The library starts it beside every recorded process.",
                     "Install sidrec-recorder beside libsidrec.so, where " + who.name() + " may execute it.");
    return;
  }
  check_set_user_id(findings, file, path, who);
}

}  // namespace sidrec::cli
