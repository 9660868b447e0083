#include "recorder/main/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "recorder/base/sha256.h"
#include "recorder/event/event.h"

namespace sidrec {

static constexpr uint64_t kPageMask = 4095;

Spool::Spool(const std::string& run_dir, const std::string& ring_id, const std::string& sid)
    : directory_(run_dir + "/spool"), path_(directory_ + "/" + ring_id + "-" + sha256_hex(sid, 16) + ".spool") {}

Result<void> Spool::open() {
  if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("cannot make " + directory_);
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return errno_error("cannot remove " + path_);
  fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) return errno_error("cannot make " + path_);
  return {};
}

Result<void> Spool::append(std::string_view events) {
  if (!fd_) {
    if (auto opened = open(); !opened) return opened;
  }
  uint64_t at = end_;
  while (!events.empty()) {
    const ssize_t put = ::pwrite(fd_.get(), events.data(), events.size(), static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return errno_error("cannot write " + path_);
    at += static_cast<uint64_t>(put);
    events.remove_prefix(static_cast<size_t>(put));
  }
  end_ = at;
  return {};
}

Result<std::string> Spool::read(size_t most_bytes) {
  std::string events(std::min<uint64_t>(unread_bytes(), most_bytes), '\0');
  size_t got = 0;
  while (got < events.size()) {
    const ssize_t part = ::pread(fd_.get(), events.data() + got, events.size() - got, static_cast<off_t>(read_ + got));
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return errno_error("cannot read " + path_);
    if (part == 0) return Error{path_ + " is shorter than what was put in"};
    got += static_cast<size_t>(part);
  }
  size_t whole = 0;
  while (const auto event = parse_event(std::string_view(events).substr(whole))) whole += event->bytes;
  if (whole == 0 && !events.empty()) return Error{path_ + " holds no whole event at byte " + std::to_string(read_)};
  events.resize(whole);
  read_ += whole;
  return events;
}

void Spool::committed(uint64_t bytes) {
  const uint64_t before = begin_;
  begin_ = std::min(begin_ + bytes, end_);
  if (begin_ == end_) return remove();
  // Gives the memory back, whole pages of it; a file system that cannot keeps it until the end.
  const auto hole = static_cast<off_t>(before & ~kPageMask);
  const off_t hole_bytes = static_cast<off_t>(begin_ & ~kPageMask) - hole;
  if (hole_bytes > 0) (void)::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole, hole_bytes);
}

void Spool::remove() {
  if (fd_) ::unlink(path_.c_str());
  fd_.reset();
  begin_ = read_ = end_ = 0;
}

}  // namespace sidrec
