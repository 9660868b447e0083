#include "recorder/cli/system_call_filter.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

namespace sidrec::cli {
namespace {

struct NeededCall {
  std::string_view name;
  std::string_view group;   // systemd's, besides @system-service and @known, which have them all
  std::string_view second;  // a second group
};

// What strace shows of both, without @default, which every filter allows. The end-to-end test compares.
constexpr NeededCall kNeeded[] = {
    {"accept4", "@network-io", ""},
    {"bind", "@network-io", ""},
    {"chdir", "@file-system", ""},
    {"chmod", "@file-system", ""},
    {"clone", "@process", ""},
    {"clone3", "@process", ""},
    {"close", "@basic-io", "@file-system"},
    {"close_range", "@basic-io", ""},
    {"connect", "@network-io", ""},
    {"dup2", "@basic-io", ""},
    {"epoll_create1", "@io-event", ""},
    {"epoll_ctl", "@io-event", ""},
    {"epoll_wait", "@io-event", ""},
    {"eventfd2", "@io-event", ""},
    {"faccessat2", "@file-system", ""},
    {"fallocate", "@file-system", ""},
    {"fcntl", "@file-system", ""},
    {"flock", "", ""},
    {"fstat", "@file-system", ""},
    {"ftruncate", "@file-system", ""},
    {"getcwd", "@file-system", ""},
    {"getdents64", "@file-system", ""},
    {"getpeername", "@network-io", ""},
    {"getsockname", "@network-io", ""},
    {"getsockopt", "@network-io", ""},
    {"ioctl", "", ""},
    {"listen", "@network-io", ""},
    {"lseek", "@basic-io", ""},
    {"madvise", "", ""},
    {"mkdir", "@file-system", ""},
    {"mkdirat", "@file-system", ""},
    {"newfstatat", "@file-system", ""},
    {"openat", "@file-system", ""},
    {"poll", "@io-event", ""},
    {"prctl", "@process", ""},
    {"pread64", "@basic-io", ""},
    {"pwrite64", "@basic-io", ""},
    {"read", "@basic-io", ""},
    {"readlink", "@file-system", ""},
    {"readlinkat", "@file-system", ""},
    {"recvfrom", "@network-io", ""},
    {"recvmsg", "@network-io", ""},
    {"rename", "@file-system", ""},
    {"renameat", "@file-system", ""},
    {"rt_sigaction", "@signal", ""},
    {"rt_sigprocmask", "@signal", ""},
    {"sendmsg", "@network-io", ""},
    {"sendto", "@network-io", ""},
    {"setpriority", "@resources", ""},
    {"setsid", "", ""},
    {"setsockopt", "@network-io", ""},
    {"shutdown", "@network-io", ""},
    {"signalfd4", "@signal", ""},
    {"socket", "@network-io", ""},
    {"symlinkat", "@file-system", ""},
    {"umask", "", ""},
    {"uname", "", ""},
    {"unlink", "@file-system", ""},
    {"unlinkat", "@file-system", ""},
    {"wait4", "@process", ""},
    {"write", "@basic-io", ""},
};

// To give the ring and what it makes to its own user, and to become that.
constexpr NeededCall kNeededToChangeUser[] = {{"chown", "@chown", "@file-system"},
                                              {"fchown", "@chown", "@file-system"},
                                              {"setgroups", "@setuid", "@privileged"},
                                              {"setresgid", "@setuid", "@privileged"},
                                              {"setresuid", "@setuid", "@privileged"}};

bool is_in(const NeededCall& call, std::string_view word) {
  word = word.substr(0, word.find(':'));  // "name:EPERM"
  if (!word.starts_with('@')) return call.name == word;
  return word == "@system-service" || word == "@known" || word == call.group || word == call.second;
}

// What a list of assignments makes of one item: the first decides whether the list allows or denies; a later one of
// the same kind adds, one of the other kind takes away.
class FilterList {
 public:
  explicit FilterList(const std::vector<std::string>& assignments) {
    for (const std::string& each : assignments) {
      const bool denies = each.starts_with('~');
      std::istringstream words(each.substr(denies ? 1 : 0));
      lines_.push_back({denies, {std::istream_iterator<std::string>(words), {}}});
    }
  }
  template <typename Matches>
  bool allows(Matches matches) const {
    if (lines_.empty()) return true;
    const bool list_denies = lines_.front().denies;
    bool listed = false;
    for (const Line& line : lines_) {
      if (std::any_of(line.words.begin(), line.words.end(), matches)) listed = line.denies == list_denies;
    }
    return listed != list_denies;
  }

 private:
  struct Line {
    bool denies;
    std::vector<std::string> words;
  };
  std::vector<Line> lines_;
};

}  // namespace

std::vector<std::string> denied_calls(const std::vector<std::string>& assignments, bool changes_user) {
  const FilterList list(assignments);
  std::vector<std::string> denied;
  const auto look_at = [&](const NeededCall& call) {
    if (!list.allows([&](const std::string& word) { return is_in(call, word); })) denied.emplace_back(call.name);
  };
  for (const NeededCall& call : kNeeded) look_at(call);
  if (!changes_user) return denied;
  for (const NeededCall& call : kNeededToChangeUser) look_at(call);
  return denied;
}

bool is_dispensable(std::string_view call) { return call == "setpriority"; }

bool allows_family(const std::vector<std::string>& assignments, std::string_view family) {
  return FilterList(assignments).allows([&](const std::string& word) { return word == family; });
}

}  // namespace sidrec::cli
