#include "recorder/ring/ring_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <utility>

#include "recorder/base/file_lock.h"

namespace sidrec {
namespace {

template <size_t N>
Result<std::string> text_of(const char (&field)[N], const char* name) {
  const void* end = std::memchr(field, '\0', N);
  if (end == nullptr) return Error{std::string(name) + " in the ring's header has no end", EINVAL};
  return std::string(field);
}

// The variables up to the empty one that ends them.
std::string env_of(const char (&env)[ring::kMaxEnv]) {
  size_t end = 0;
  while (end < sizeof env && env[end] != '\0') {
    const void* next = std::memchr(env + end, '\0', sizeof env - end);
    if (next == nullptr) break;
    end = static_cast<size_t>(static_cast<const char*>(next) - env) + 1;
  }
  return std::string(env, end);
}

bool is_possible(const RingFacts& facts) {
  return facts.lanes > 0 && facts.lanes <= ring::kMaxLanes && std::has_single_bit(facts.lane_bytes) &&
         facts.lane_bytes >= ring::kMinLaneBytes && facts.lane_bytes <= ring::kMaxLaneBytes;
}

Result<RingFacts> facts_of(const ring::Header& header) {
  if (header.magic != ring::kMagic) return Error{"not a ring", EINVAL};
  if (header.version != ring::kVersion) return Error{"a ring of version " + std::to_string(header.version), EINVAL};
  RingFacts facts{header.lanes, header.lane_bytes,  header.host_pid, {}, {}, {}, {}, {}, {},
                  {},           env_of(header.env), header.service};
  const std::pair<std::string*, Result<std::string>> texts[] = {
      {&facts.ring_id, text_of(header.ring_id, "ring_id")},
      {&facts.program, text_of(header.program, "program")},
      {&facts.sid_source, text_of(header.sid_source, "sid_source")},
      {&facts.sid_template, text_of(header.sid_template, "sid_template")},
      {&facts.audit_dir, text_of(header.audit_dir, "audit_dir")},
      {&facts.run_dir, text_of(header.run_dir, "run_dir")},
      {&facts.config, text_of(header.config, "config")},
  };
  for (const auto& [field, text] : texts) {
    if (!text) return text.error();
    *field = *text;
  }
  if (!is_plain_name(facts.ring_id)) return Error{"a ring whose id is no name", EINVAL};
  if (!facts.audit_dir.starts_with('/') || !facts.run_dir.starts_with('/')) {
    return Error{"a ring whose directories are not absolute", EINVAL};
  }
  return facts;
}

Result<RingFacts> read_facts(int fd) {
  const auto header = std::make_unique<ring::Header>();
  if (::pread(fd, static_cast<void*>(header.get()), sizeof *header, 0) != ssize_t{sizeof *header}) {
    return Error{"a ring that is cut short", EINVAL};
  }
  return facts_of(*header);
}

Error about(const std::string& path, const Error& error) { return {path + ": " + error.message, error.code}; }

}  // namespace

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == ':';
  });
}

Result<RingFile> RingFile::open(const std::string& path, const std::optional<RingFacts>& known) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return errno_error("cannot open the ring " + path);
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) return errno_error("cannot look at " + path);
  if (!S_ISREG(found.st_mode)) return Error{path + " is no regular file", EINVAL};

  auto facts = known ? Result<RingFacts>(*known) : read_facts(fd.get());
  if (!facts) return about(path, facts.error());
  if (!is_possible(*facts)) return Error{path + ": a ring of impossible size", EINVAL};
  const size_t bytes = ring::ring_bytes(facts->lanes, facts->lane_bytes);
  if (static_cast<uint64_t>(found.st_size) < bytes) return Error{path + ": a ring that is cut short", EINVAL};

  if (!lock_file(fd.get(), F_WRLCK)) {
    if (errno == EACCES) errno = EAGAIN;
    return errno_error("cannot lock " + path);
  }
  void* map = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (map == MAP_FAILED) return errno_error("cannot map " + path);
  return RingFile(path, std::move(fd), map, bytes, std::move(*facts));
}

bool holds_ring(int fd, const std::string& path) {
  const UniqueFd other(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat shown {
  }, there{};
  if (!other || ::fstat(fd, &shown) != 0 || ::fstat(other.get(), &there) != 0) return false;
  const bool same = shown.st_dev == there.st_dev && shown.st_ino == there.st_ino;
  return same && is_locked_by_another(other.get()) && !is_locked_by_another(fd);
}

RingFile::RingFile(std::string path, UniqueFd fd, void* map, size_t bytes, RingFacts facts)
    : path_(std::move(path)), fd_(std::move(fd)), map_(map), bytes_(bytes), facts_(std::move(facts)) {}

RingFile::RingFile(RingFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::move(other.fd_)),
      map_(std::exchange(other.map_, nullptr)),
      bytes_(other.bytes_),
      facts_(std::move(other.facts_)) {}

RingFile::~RingFile() {
  if (map_ != nullptr) ::munmap(map_, bytes_);
}

char* RingFile::lane(uint32_t lane) const {
  return static_cast<char*>(map_) + ring::kHeaderBytes + lane * ring::lane_stride(facts_.lane_bytes);
}

ring::LaneControl& RingFile::control(uint32_t index) const {
  return *static_cast<ring::LaneControl*>(static_cast<void*>(lane(index)));
}

const char* RingFile::lane_data(uint32_t index) const { return lane(index) + ring::kLaneControlBytes; }

bool RingFile::is_dead() const {
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) return false;
  ::flock(fd_.get(), LOCK_UN);
  return true;
}

void RingFile::await_death() const {
  while (::flock(fd_.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
}

}  // namespace sidrec
