// The vocabulary of the ring's tests: a ring file as a host makes it, and a host's hand in it. Writes by ring_layout.h
// alone, so that a recorder is checked against the layout and not against the shim.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "recorder/base/clock.h"
#include "recorder/base/unique_fd.h"
#include "shim/ring_layout.h"

namespace sidrec::test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sidrec-ring-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct RingShape {
  uint32_t lanes = 2;
  uint32_t lane_bytes = ring::kMinLaneBytes;
  std::string sid = "demo";
  std::string config{};
};

// A host's end of a ring. It is dead once the object is gone, as after the last process's end.
class RingProducer {
 public:
  explicit RingProducer(const Folder& folder, const RingShape& shape = {})
      : shape_(shape), bytes_(ring::ring_bytes(shape.lanes, shape.lane_bytes)), path_(folder / "rings/r7-1.ring") {
    for (const char* name : {"rings", "audit"}) std::filesystem::create_directories(folder / name);
    UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes_)), 0);
    EXPECT_EQ(::flock(fd.get(), LOCK_SH), 0);
    map_ = static_cast<char*>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    fill_header(folder);
  }
  RingProducer(const RingProducer&) = delete;
  RingProducer& operator=(const RingProducer&) = delete;
  ~RingProducer() { die(); }

  void die() {
    if (map_ != nullptr) ::munmap(map_, bytes_);
    map_ = nullptr;
  }

  ring::Header& header() { return *static_cast<ring::Header*>(static_cast<void*>(map_)); }
  ring::LaneControl& lane(uint32_t index) {
    return *static_cast<ring::LaneControl*>(static_cast<void*>(lane_start(index)));
  }
  const std::string& path() const { return path_; }

  // The position behind the record.
  uint64_t put(uint32_t index, ring::RecordHeader record, std::string_view payload = {}) {
    record.payload = static_cast<uint32_t>(payload.size());
    const uint64_t head = lane(index).head.load();
    write_at(index, head, {reinterpret_cast<const char*>(&record), sizeof record});
    write_at(index, head + sizeof record, payload);
    const uint64_t end = head + ring::record_bytes(payload.size());
    lane(index).head.store(end, std::memory_order_release);
    return end;
  }
  void wake() {
    header().wake.fetch_add(1);
    ::syscall(SYS_futex, static_cast<void*>(&header().wake), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }

 private:
  char* lane_start(uint32_t index) { return map_ + ring::kHeaderBytes + index * ring::lane_stride(shape_.lane_bytes); }
  void write_at(uint32_t index, uint64_t pos, std::string_view bytes) {
    char* data = lane_start(index) + ring::kLaneControlBytes;
    for (size_t i = 0; i < bytes.size(); ++i) data[(pos + i) & (shape_.lane_bytes - 1)] = bytes[i];
  }
  void fill_header(const Folder& folder) {
    ring::Header& h = header();
    h.magic = ring::kMagic;
    h.version = ring::kVersion;
    h.lanes = shape_.lanes;
    h.lane_bytes = shape_.lane_bytes;
    h.host_pid = 7;
    std::snprintf(h.ring_id, sizeof h.ring_id, "r7-1");
    std::snprintf(h.program, sizeof h.program, "victim");
    std::snprintf(h.sid_template, sizeof h.sid_template, "%s", shape_.sid.c_str());
    std::snprintf(h.audit_dir, sizeof h.audit_dir, "%s", (folder / "audit").c_str());
    std::snprintf(h.run_dir, sizeof h.run_dir, "%s", folder.path().c_str());
    std::snprintf(h.config, sizeof h.config, "%s", shape_.config.c_str());
  }

  RingShape shape_;
  size_t bytes_;
  std::string path_;
  char* map_ = nullptr;
};

inline ring::RecordHeader record(ring::Kind kind, uint64_t time_ns, uint64_t conn = 1, uint32_t pid = 7) {
  ring::RecordHeader header{};
  header.kind = kind;
  header.time_ns = time_ns;
  header.subject = conn;
  header.pid = pid;
  return header;
}

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// 198.51.100.9:50122 at 10.0.0.1:22
inline ring::Open some_client() {
  ring::Open open{};
  open.family = AF_INET;
  open.client_port = 50122;
  open.server_port = 22;
  std::memcpy(open.client_addr, "\xc6\x33\x64\x09", 4);
  std::memcpy(open.server_addr, "\x0a\x00\x00\x01", 4);
  return open;
}

}  // namespace sidrec::test
