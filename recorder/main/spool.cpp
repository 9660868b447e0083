#include "recorder/main/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "recorder/base/sha256.h"
#include "recorder/event/event.h"

namespace sidrec {

namespace {
constexpr uint64_t kPageMask = 4095;
constexpr uint64_t kHeaderBytes = kPageMask + 1;

uint64_t whole_events(std::string_view events) {
  uint64_t whole = 0;
  while (const auto event = parse_event(events.substr(whole))) whole += event->bytes;
  return whole;
}
}  // namespace

Spool::Spool(const std::string& run_dir, const std::string& ring_id, const std::string& sid)
    : directory_(run_dir + "/spool"), path_(directory_ + "/" + ring_id + "-" + sha256_hex(sid, 16) + ".spool") {}

Result<void> Spool::open() {
  if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("cannot make " + directory_);
  if (::unlink(new_path().c_str()) != 0 && errno != ENOENT) return errno_error("cannot remove " + new_path());
  fd_.reset(::open(new_path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) return errno_error("cannot make " + new_path());
  return {};
}

Result<void> Spool::read_at(uint64_t at, std::string& bytes) const {
  for (size_t got = 0; got < bytes.size();) {
    const ssize_t part =
        ::pread(fd_.get(), bytes.data() + got, bytes.size() - got, static_cast<off_t>(kHeaderBytes + at + got));
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return errno_error("cannot read " + path_);
    if (part == 0) return Error{path_ + " is shorter than what was put in"};
    got += static_cast<size_t>(part);
  }
  return {};
}

Result<std::string> Spool::take_over() {
  (void)::unlink(new_path().c_str());
  fd_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd_) return errno == ENOENT ? Result<std::string>(std::string()) : errno_error("cannot open " + path_);
  struct stat found {};
  uint64_t begin = 0;
  if (::fstat(fd_.get(), &found) != 0 || ::pread(fd_.get(), &begin, sizeof begin, 0) < 0) begin = 0;
  const auto size = static_cast<uint64_t>(found.st_size);
  std::string events(size > kHeaderBytes + begin ? size - kHeaderBytes - begin : 0, '\0');
  const auto read = read_at(begin, events);
  fd_.reset();
  if (!read) return read.error();
  events.resize(whole_events(events));  // the last may have been cut short
  inherited_ = events.size();
  return events;
}

Result<void> Spool::write_at_end(std::span<const std::string_view> pieces, uint64_t skip) {
  uint64_t at = end_;
  for (std::string_view rest : pieces) {
    const size_t skipped = std::min<uint64_t>(skip, rest.size());
    rest.remove_prefix(skipped);
    skip -= skipped;
    while (!rest.empty()) {
      const ssize_t put = ::pwrite(fd_.get(), rest.data(), rest.size(), static_cast<off_t>(kHeaderBytes + at));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return errno_error("cannot write " + path_);
      at += static_cast<uint64_t>(put);
      rest.remove_prefix(static_cast<size_t>(put));
    }
  }
  end_ = at;
  return {};
}

Result<void> Spool::append(std::span<const std::string_view> pieces, uint64_t skip) {
  if (fd_) return write_at_end(pieces, skip);
  Result<void> begun = open();
  if (begun) begun = write_at_end(pieces, skip);
  if (begun && ::rename(new_path().c_str(), path_.c_str()) != 0) begun = errno_error("cannot make " + path_);
  if (begun) {
    inherited_ = 0;
  } else {
    fd_.reset();
    begin_ = read_ = end_ = 0;
    (void)::unlink(new_path().c_str());
  }
  return begun;
}

Result<std::string> Spool::read(size_t most_bytes) {
  std::string events(std::min<uint64_t>(unread_bytes(), most_bytes), '\0');
  if (auto got = read_at(read_, events); !got) return got.error();
  const uint64_t whole = whole_events(events);
  if (whole == 0 && !events.empty()) return Error{path_ + " holds no whole event at byte " + std::to_string(read_)};
  events.resize(whole);
  read_ += whole;
  return events;
}

void Spool::committed(uint64_t bytes) {
  if (inherited_ > 0 && !fd_) {
    inherited_ -= std::min(inherited_, bytes);
    if (inherited_ == 0) ::unlink(path_.c_str());
    return;
  }
  const uint64_t before = begin_;
  begin_ = std::min(begin_ + bytes, end_);
  if (begin_ == end_) return remove();
  // Gives the memory back, whole pages of it; a file system that cannot keeps it until the end.
  const auto hole = static_cast<off_t>(before & ~kPageMask);
  const off_t hole_bytes = static_cast<off_t>(begin_ & ~kPageMask) - hole;
  if (hole_bytes <= 0 || ::pwrite(fd_.get(), &begin_, sizeof begin_, 0) < 0) return;
  (void)::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(kHeaderBytes) + hole,
                    hole_bytes);
}

void Spool::remove() {
  if (fd_ || inherited_ > 0) ::unlink(path_.c_str());
  inherited_ = 0;
  fd_.reset();
  begin_ = read_ = end_ = 0;
}

}  // namespace sidrec
