#include "recorder/cli/process_facts.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "recorder/base/file_lock.h"
#include "recorder/base/unique_fd.h"
#include "recorder/cli/file_text.h"
#include "recorder/cli/library.h"

namespace sidrec::cli {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

std::string proc(pid_t pid, const std::string& name) { return "/proc/" + std::to_string(pid) + "/" + name; }

std::string link_of(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = readlink(path.c_str(), target.data(), target.size());
  return {target.data(), length > 0 ? static_cast<size_t>(length) : 0};
}

bool take_suffix(std::string& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.resize(text.size() - suffix.size());
  return true;
}

// "Uid:\t0\t0\t0\t0" -> the numbers
std::vector<uint32_t> numbers_of(std::string_view status, std::string_view key) {
  const size_t at = status.find("\n" + std::string(key) + ":");
  if (at == status.npos) return {};
  const size_t begin = at + key.size() + 2;
  std::istringstream line(std::string(status.substr(begin, status.find('\n', begin) - begin)));
  return {std::istream_iterator<uint32_t>(line), {}};
}

struct Descriptors {
  std::set<uint64_t> sockets;
  size_t io_urings = 0;
};

Descriptors descriptors_of(pid_t pid) {
  Descriptors found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(proc(pid, "fd"), ignored)) {
    const std::string target = link_of(entry.path().string());
    if (target == "anon_inode:[io_uring]") ++found.io_urings;
    if (target.starts_with("socket:[")) found.sockets.insert(std::strtoull(target.c_str() + 8, nullptr, 10));
  }
  return found;
}

UniqueFd open_ring(pid_t pid, const MappedRing& ring) {
  // Exactly what is mapped, in whatever mount namespace; but it takes privileges.
  UniqueFd fd(open(proc(pid, "map_files/" + ring.range).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) fd.reset(open(ring.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat file {};
  if (fd && (fstat(fd.get(), &file) != 0 || file.st_ino != ring.inode)) fd.reset();
  return fd;
}

}  // namespace

std::string MappedRing::run_dir() const {
  const size_t rings = path.rfind("/rings/");
  return path.substr(0, rings == std::string::npos ? 0 : rings);
}

Mappings mappings_of(std::string_view maps) {
  Mappings found;
  std::istringstream lines{std::string(maps)};
  for (std::string line; std::getline(lines, line);) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    std::string path = line.substr(slash);
    const bool deleted = take_suffix(path, kDeleted);
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name == kLibrary) {
      found.library = path;
      found.library_replaced = deleted;
    }
    if (!path.ends_with(".ring") || path.find("/rings/") == std::string::npos) continue;
    std::istringstream fields(line);
    MappedRing ring{path, {}, 0};
    std::string rights, offset, device;
    fields >> ring.range >> rights >> offset >> device >> ring.inode;
    // A lane that was given up splits the mapping.
    const bool known = std::any_of(found.rings.begin(), found.rings.end(),
                                   [&](const MappedRing& each) { return each.inode == ring.inode; });
    if (!known) found.rings.push_back(ring);
  }
  return found;
}

std::optional<bool> secure_of_auxv(std::string_view auxv) {
  for (size_t at = 0; at + sizeof(Elf64_auxv_t) <= auxv.size(); at += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t entry{};
    std::memcpy(&entry, auxv.data() + at, sizeof entry);
    if (entry.a_type == AT_SECURE) return entry.a_un.a_val != 0;
  }
  return std::nullopt;
}

Identity identity_of_status(std::string_view status) {
  constexpr size_t kEffective = 1;  // real, effective, saved, file system
  const auto uids = numbers_of(status, "Uid"), gids = numbers_of(status, "Gid"), groups = numbers_of(status, "Groups");
  Identity who;
  if (uids.size() > kEffective) who.uid = uids[kEffective];
  if (gids.size() > kEffective) who.gid = gids[kEffective];
  who.groups.assign(groups.begin(), groups.end());
  return who;
}

std::optional<uint64_t> file_size_of_limits(std::string_view limits) {
  constexpr std::string_view kName = "Max file size";
  const size_t at = limits.find(kName);
  if (at == limits.npos) return std::nullopt;
  std::istringstream soft{std::string(limits.substr(at + kName.size(), 64))};
  uint64_t bytes = 0;
  return soft >> bytes ? std::optional(bytes) : std::nullopt;
}

std::string variable_of(std::string_view environment, std::string_view name) {
  for (size_t begin = 0; begin < environment.size();) {
    const size_t end = std::min(environment.find('\0', begin), environment.size());
    const std::string_view entry = environment.substr(begin, end - begin);
    if (entry.starts_with(name) && entry.substr(name.size()).starts_with('=')) {
      return std::string(entry.substr(name.size() + 1));
    }
    begin = end + 1;
  }
  return {};
}

size_t count_client_connections(std::string_view tables, const std::set<uint64_t>& inodes) {
  constexpr const char *kEstablished = "01", *kListen = "0A";
  std::set<std::string> listening;
  std::vector<std::string> own;
  std::istringstream lines{std::string(tables)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues, timer, retransmits, uid, timeout;
    uint64_t inode = 0;
    if (!(fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode)) {
      continue;
    }
    const std::string port = local.substr(local.rfind(':') + 1);
    if (state == kListen) listening.insert(port);
    if (state == kEstablished && inodes.contains(inode)) own.push_back(port);
  }
  return static_cast<size_t>(
      std::count_if(own.begin(), own.end(), [&](const std::string& port) { return listening.contains(port); }));
}

std::optional<bool> is_secure(pid_t pid) { return secure_of_auxv(file_text(proc(pid, "auxv"))); }

std::string program_of(pid_t pid) {
  std::string path = link_of(proc(pid, "exe"));
  take_suffix(path, kDeleted);
  return path;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::istringstream children(file_text(proc(pid, "task/" + std::to_string(pid) + "/children")));
  return {std::istream_iterator<pid_t>(children), {}};
}

bool has_recorder(pid_t pid, const MappedRing& ring) {
  const UniqueFd fd = open_ring(pid, ring);
  return fd && is_locked_by_another(fd.get());
}

Result<ProcessFacts> facts_of_process(pid_t pid) {
  ProcessFacts facts;
  facts.pid = pid;
  const std::string status = file_text(proc(pid, "status"));
  if (status.empty()) return Error{"there is no process " + std::to_string(pid), ESRCH};
  facts.who = identity_of_status(status);
  facts.program = program_of(pid);
  const std::string maps = file_text(proc(pid, "maps"));
  if (facts.program.empty() || maps.empty()) {
    return Error{"cannot look into process " + std::to_string(pid) + ": run sidrec doctor as root", EACCES};
  }
  facts.mappings = mappings_of(maps);
  facts.has_own_view =
      link_of(proc(pid, "root")) != "/" || link_of(proc(pid, "ns/mnt")) != link_of("/proc/self/ns/mnt");
  facts.label = file_text(proc(pid, "attr/apparmor/current"));
  if (facts.label.empty()) facts.label = file_text(proc(pid, "attr/current"));
  facts.environment = file_text(proc(pid, "environ"));
  facts.secure = is_secure(pid);
  facts.file_size_limit = file_size_of_limits(file_text(proc(pid, "limits")));
  const Descriptors descriptors = descriptors_of(pid);
  facts.io_urings = descriptors.io_urings;
  facts.client_connections =
      count_client_connections(file_text(proc(pid, "net/tcp")) + file_text(proc(pid, "net/tcp6")), descriptors.sockets);
  return facts;
}

}  // namespace sidrec::cli
