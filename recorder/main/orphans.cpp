#include "recorder/main/orphans.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "recorder/base/clock.h"
#include "recorder/base/file_lock.h"
#include "recorder/base/unique_fd.h"
#include "recorder/main/journal.h"

namespace sidrec {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kNewNs = 10 * kSecond;

// Its host's.
bool is_dead(int fd) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return false;
  ::flock(fd, LOCK_UN);
  return true;
}

// A ring that is being made has no recorder, no journal and no lock yet; to try its lock now would keep its host from
// it.
bool is_new(int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return true;
  const uint64_t changed_ns = static_cast<uint64_t>(found.st_ctim.tv_sec) * kSecond + found.st_ctim.tv_nsec;
  return clock_ns(CLOCK_REALTIME) < changed_ns + kNewNs;
}

template <typename Belongs>
std::vector<std::string> rings(const std::string& run_dir, const Belongs& belongs) {
  std::vector<std::string> found;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(run_dir + "/rings", failed)) {
    const std::string path = entry.path();
    if (entry.path().extension() == ".ring" && belongs(path)) found.push_back(path);
  }
  return found;
}

template <typename Belongs>
std::vector<std::string> rings_without_recorder(const std::string& run_dir, const Belongs& belongs) {
  return rings(run_dir, [&belongs](const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    return fd && !is_locked_by_another(fd.get()) && belongs(path, fd.get());
  });
}

}  // namespace

std::string ring_path(const std::string& run_dir, const std::string& ring_id) {
  return run_dir + "/rings/" + ring_id + ".ring";
}

std::vector<std::string> find_orphans(const std::string& run_dir, std::string_view sid) {
  return rings_without_recorder(run_dir, [sid](const std::string& path, int fd) {
    const auto sessions = Journal::sessions_beside(path);
    return sessions.empty() ? !is_new(fd) && is_dead(fd) : sessions.contains(std::string(sid));
  });
}

bool is_member(const std::string& ring, const Membership& of) {
  const auto sessions = Journal::sessions_beside(ring);
  const auto known = sessions.find(of.sid);
  if (known == sessions.end()) return false;
  if (!known->second.session.empty()) return known->second.session == of.session;
  const UniqueFd fd(::open(ring.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  return of.takes_more || (fd && !is_locked_by_another(fd.get()));
}

std::vector<std::string> find_members(const std::string& run_dir, const Membership& of) {
  return rings(run_dir, [&of](const std::string& path) { return is_member(path, of); });
}

std::vector<Orphan> find_orphans(const std::string& run_dir) {
  std::vector<Orphan> orphans;
  rings_without_recorder(run_dir, [&orphans](const std::string& path, int fd) {
    const bool is_left = !is_new(fd) || !Journal::sessions_beside(path).empty();
    if (is_left) orphans.push_back({path, !is_dead(fd)});
    return is_left;
  });
  return orphans;
}

bool has_recorder(const std::string& path) {
  const UniqueFd ring(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  return ring && is_locked_by_another(ring.get());
}

bool start_successor(const std::string& path) {
  const UniqueFd ring(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!ring) return false;
  if (is_locked_by_another(ring.get())) return true;
  std::error_code failed;
  const std::string program = fs::read_symlink("/proc/self/exe", failed);
  char* const arguments[] = {const_cast<char*>(program.c_str()), const_cast<char*>(path.c_str()), nullptr};
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  const bool started = ::posix_spawn(&pid, program.c_str(), nullptr, &attributes, arguments, environ) == 0;
  ::posix_spawnattr_destroy(&attributes);
  return started;
}

}  // namespace sidrec
