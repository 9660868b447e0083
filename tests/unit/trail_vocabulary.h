// The words of the trail tests: a store in memory, events, and a trail's lines read back as JSON.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/clock.h"
#include "recorder/base/sid_path.h"
#include "recorder/base/utc_time.h"
#include "recorder/event/event.h"
#include "recorder/trail/trail.h"

namespace sidrec::trail_test {

// A directory that goes away with the test.
class TempDir {
 public:
  TempDir() {
    char path[] = "/dev/shm/sidrec-test-XXXXXX";
    if (mkdtemp(path) == nullptr) std::abort();
    path_ = path;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_file(const std::string& path, std::string_view bytes, mode_t mode = 0644) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  chmod(path.c_str(), mode);
}

inline std::vector<nlohmann::json> every_line(std::string_view text) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

// But the seals, which are trail_seal_test's matter.
inline std::vector<nlohmann::json> json_lines(std::string_view text) {
  auto lines = every_line(text);
  std::erase_if(lines, [](const nlohmann::json& line) { return line["ev"] == "seal"; });
  return lines;
}

inline const std::string kSid = "alice@203.0.113.7";
inline const std::string kSession = "01938a5e-7c00-7f3a-8b21-5d0c44e1a6f2";

// Monotonic time 0 is 2026-11-23T22:30:00Z, so a record's time reads as seconds into the session.
inline constexpr uint64_t kMicrosecond = 1'000;
inline int64_t offset_of_half_past_ten() {
  return static_cast<int64_t>(seconds_of_utc({2026, 11, 23, 22, 30, 0}) * 1'000'000'000);
}
inline SessionIdentity identity(uint32_t epoch = 1) { return {kSession, offset_of_half_past_ten(), epoch}; }
inline MasterIdentity master(std::string rec = "r4100") {
  return {std::move(rec), "bastion1", "sidrec-recorder", 4101, 997, true};
}

// An event and the buffer it lives in.
class TestEvent {
 public:
  TestEvent(const EventHeader& header, std::string_view payload) { append_event(buffer_, header, payload); }
  operator EventView() const { return parse_event(buffer_)->event; }

 private:
  std::string buffer_;
};

struct At {
  uint64_t time_ns = 98 * kMicrosecond;
  uint32_t lane = 0;
  uint64_t pos = 64;
  uint64_t conn = 0x7f3a;
};

inline EventHeader header(EventKind kind, const At& at) {
  EventHeader header{};
  header.kind = kind;
  header.time_ns = at.time_ns;
  header.lane = at.lane;
  header.pos = at.pos;
  header.conn = at.conn;
  return header;
}

inline ConnOpen socat_from_203_0_113_7() {
  ConnOpen open{};
  open.family = AF_INET;
  open.via = Via::kAccept;
  open.client_port = 50122;
  open.server_port = 6380;
  inet_pton(AF_INET, "203.0.113.7", open.client_addr);
  inet_pton(AF_INET, "10.0.0.9", open.server_addr);
  open.pid = 4100;
  std::strcpy(open.program, "socat");
  std::strcpy(open.sid_source, "env");
  return open;
}

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline TestEvent opened(const At& at, const ConnOpen& open = socat_from_203_0_113_7()) {
  return {header(EventKind::kConnOpen, at), bytes_of(open)};
}
inline TestEvent data(const At& at, Direction dir, uint64_t off, std::string_view bytes) {
  EventHeader h = header(EventKind::kData, at);
  h.dir = dir;
  h.off = off;
  h.len = bytes.size();
  return {h, bytes};
}
inline TestEvent gap(const At& at, Direction dir, uint64_t off, uint64_t len, GapWhy why, uint64_t records = 1) {
  EventHeader h = header(EventKind::kGap, at);
  h.dir = dir;
  h.off = off;
  h.len = len;
  h.records = records;
  h.why = static_cast<uint8_t>(why);
  return {h, ""};
}
inline TestEvent closed(const At& at, const ConnClose& close, CloseWhy why = CloseWhy::kClosed) {
  EventHeader h = header(EventKind::kConnClose, at);
  h.why = static_cast<uint8_t>(why);
  return {h, bytes_of(close)};
}
inline ConnClose counted(uint64_t in, uint64_t out) {
  ConnClose close{};
  close.bytes_in = close.kernel_bytes_in = in;
  close.bytes_out = close.kernel_bytes_out = out;
  close.kernel_in_known = close.kernel_out_known = 1;
  return close;
}

#define ASSERT_OK(expression)                            \
  do {                                                   \
    const auto& ok_result = (expression);                \
    ASSERT_TRUE(ok_result) << ok_result.error().message; \
  } while (false)

}  // namespace sidrec::trail_test
