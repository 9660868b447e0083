// What /proc shows of one process (proc(5)) that bears on its recording. The parsers take the files' contents.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/cli/identity.h"

namespace sidrec::cli {

// A ring is a file <run_dir>/rings/<id>.ring that the process maps (docs/ARCHITECTURE.md).
struct MappedRing {
  std::string path;
  std::string range;  // the name of its link in /proc/PID/map_files
  uint64_t inode;

  std::string run_dir() const;
};

struct Mappings {
  std::string library;            // libsidrec.so; "" if it is not loaded
  bool library_replaced = false;  // its file has been replaced since
  std::vector<MappedRing> rings;
};

struct ProcessFacts {
  pid_t pid = 0;
  std::string program;  // the path of its executable
  Identity who;
  bool has_own_view = false;  // of the files: a chroot or a mount namespace
  std::string label;          // of AppArmor, with its mode
  std::string environment;    // as it was started: NAME=value, each ended by NUL
  std::optional<bool> secure;
  std::optional<uint64_t> file_size_limit;  // bytes; nothing where it is unlimited
  size_t io_urings = 0;
  size_t client_connections = 0;  // established, at a port on which somebody listens here
  Mappings mappings;
};

// An error: there is no such process, or its files may not be read.
Result<ProcessFacts> facts_of_process(pid_t pid);

// A recorder holds the reading end of the ring: an open file description lock, which the kernel frees with its holder.
bool has_recorder(pid_t pid, const MappedRing& ring);

std::vector<pid_t> children_of(pid_t pid);
// AT_SECURE of a process that may be another's; nothing if it cannot be read.
std::optional<bool> is_secure(pid_t pid);
// /proc/PID/exe; "" if it cannot be read.
std::string program_of(pid_t pid);

Mappings mappings_of(std::string_view maps);
std::optional<bool> secure_of_auxv(std::string_view auxv);
Identity identity_of_status(std::string_view status);
std::optional<uint64_t> file_size_of_limits(std::string_view limits);
std::string variable_of(std::string_view environment, std::string_view name);
// `tables`: /proc/PID/net/tcp and tcp6, one after the other. `inodes`: of the sockets that the process holds.
size_t count_client_connections(std::string_view tables, const std::set<uint64_t>& inodes);

}  // namespace sidrec::cli
