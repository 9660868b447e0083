#include "recorder/cli/store_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>

namespace sidrec::cli {

constexpr int kLookAgainMs = 1000;
constexpr uint32_t kChanges = IN_MODIFY | IN_CREATE | IN_MOVED_TO;

StoreWatch::StoreWatch() : inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

void StoreWatch::watch(const std::string& path) {
  if (path == path_) return;
  if (watched_ >= 0) inotify_rm_watch(inotify_.get(), watched_);
  watched_ = inotify_add_watch(inotify_.get(), path.c_str(), kChanges);
  path_ = watched_ >= 0 ? path : std::string();
  for (std::string above = path; watched_ < 0 && above.find_last_of('/') != std::string::npos && above != "/";) {
    const size_t slash = above.find_last_of('/');
    above = slash == 0 ? "/" : above.substr(0, slash);
    watched_ = inotify_add_watch(inotify_.get(), above.c_str(), kChanges);
  }
}

bool StoreWatch::wait(int also) {
  std::array<pollfd, 3> fds = {{{inotify_.get(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}, {also, POLLIN, 0}}};
  poll(fds.data(), fds.size(), kLookAgainMs);
  std::array<char, 4096> events;
  while (read(inotify_.get(), events.data(), events.size()) > 0) continue;
  return (fds[1].revents & (POLLERR | POLLHUP)) == 0;
}

}  // namespace sidrec::cli
