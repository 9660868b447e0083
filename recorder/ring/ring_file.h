// RingFile: one host's ring as its recorder holds it: opened, checked, locked against a second recorder, mapped.
//
// Invariants
//  1. Nothing of the header is used before it was copied and checked; what facts() says never changes afterwards,
//     whatever the host does to the mapping.
//  2. At most one recorder has a ring: an open file description lock (F_OFD_SETLK, fcntl(2)), which the kernel frees
//     with its holder. It is another kind of lock than the host's flock(2), so the two never meet.
//  3. await_death() returns when the last mapping of every host process is gone, and not before.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "recorder/base/result.h"
#include "recorder/base/unique_fd.h"
#include "shim/ring_layout.h"

namespace sidrec {

// The header's facts, copied.
struct RingFacts {
  uint32_t lanes = 0;
  uint32_t lane_bytes = 0;
  uint32_t host_pid = 0;
  std::string ring_id;
  std::string program;
  std::string sid_source;
  std::string sid_template;
  std::string audit_dir;
  std::string run_dir;
  std::string config;
  std::string env;  // NAME=value, each ended by NUL
  uint64_t service = 0;
};

// Whether `fd` is the very description by which the ring at `path` is locked: only that ring's recorder can show it.
bool holds_ring(int fd, const std::string& path);

// The id of a ring becomes a file's name and goes over the link, which allows the same letters.
bool is_plain_name(const std::string& name);

class RingFile {
 public:
  // `known`: what its first recorder knew of it; then the header, which the host may have overwritten since, is not
  // asked. An error of code EAGAIN: another recorder has it.
  static Result<RingFile> open(const std::string& path, const std::optional<RingFacts>& known = std::nullopt);
  RingFile(RingFile&& other) noexcept;
  RingFile& operator=(RingFile&&) = delete;
  ~RingFile();

  const RingFacts& facts() const { return facts_; }
  // Before the first use: facts that the recorder knows better than the header.
  void correct(const std::function<void(RingFacts&)>& change) { change(facts_); }
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

  std::atomic<uint32_t>& sleep() const { return header()->sleep; }
  std::atomic<uint32_t>& wake() const { return header()->wake; }
  std::atomic<uint32_t>& recorder() const { return header()->recorder; }
  ring::LaneControl& control(uint32_t lane) const;
  const char* lane_data(uint32_t lane) const;

  bool is_dead() const;
  // Blocks (flock(2)); for a thread of its own.
  void await_death() const;

 private:
  RingFile(std::string path, UniqueFd fd, void* map, size_t bytes, RingFacts facts);
  ring::Header* header() const { return static_cast<ring::Header*>(map_); }
  char* lane(uint32_t lane) const;

  std::string path_;
  UniqueFd fd_;
  void* map_;
  size_t bytes_;
  RingFacts facts_;
};

}  // namespace sidrec
