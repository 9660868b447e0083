#include "recorder/cli/stored_trail.h"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "recorder/base/clock.h"
#include "recorder/trail/last_line.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/timestamp.h"

namespace sidrec::cli {

constexpr uint64_t kMostSeconds = ~uint64_t{0} / kSecond;

uint64_t bytes_of(const std::vector<std::string>& files) {
  uint64_t bytes = 0;
  for (const std::string& file : files) {
    struct stat found {};
    if (::lstat(file.c_str(), &found) == 0) bytes += static_cast<uint64_t>(found.st_size);
  }
  return bytes;
}

Result<StoredTrail> look_at(const TrailFile& trail) {
  auto bytes = TrailBytes::open(trail.path());
  if (!bytes) return bytes.error();
  StoredTrail stored;
  stored.trail = trail;
  stored.files = bytes->files();
  stored.bytes = bytes_of(stored.files);
  const auto end = trail_end_of(*bytes);
  if (!end) return stored;
  const auto line = nlohmann::json::parse(end->session_end, nullptr, false);
  if (!line.is_object()) return stored;
  stored.sid = string_at(line, "sid");
  stored.ended = string_at(line, "ts");
  stored.ended_ns = parse_timestamp(stored.ended).value_or(0);
  stored.hash = end->hash;
  return stored;
}

std::vector<Removal> choose_removals(const std::vector<StoredTrail>& trails, const RetentionLimits& limits,
                                     uint64_t now_ns) {
  std::vector<size_t> ended;
  uint64_t kept_bytes = 0;
  for (size_t index = 0; index < trails.size(); ++index) {
    kept_bytes += trails[index].bytes;
    if (trails[index].has_ended()) ended.push_back(index);
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [&](size_t one, size_t other) { return trails[one].ended_ns < trails[other].ended_ns; });
  std::vector<Removal> removals;
  for (const size_t index : ended) {
    const uint64_t age_ns = now_ns - std::min(now_ns, trails[index].ended_ns);
    const bool too_old = limits.older_than_s && age_ns > std::min(*limits.older_than_s, kMostSeconds) * kSecond;
    const bool too_much = limits.max_bytes && kept_bytes > *limits.max_bytes;
    if (!too_old && !too_much) continue;
    removals.push_back({index, too_old ? "age" : "size"});
    kept_bytes -= trails[index].bytes;
  }
  return removals;
}

}  // namespace sidrec::cli
