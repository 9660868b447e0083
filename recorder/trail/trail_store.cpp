#include "recorder/trail/trail_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <map>
#include <memory>

#include "recorder/base/file_lock.h"
#include "recorder/base/sid_path.h"
#include "recorder/base/unique_fd.h"

namespace sidrec {
namespace {

Result<std::vector<std::string>> names_in(const std::string& dir) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(dir.c_str()), closedir);
  if (!entries && (errno == ENOENT || errno == ENOTDIR)) return names;
  if (!entries) return errno_error("cannot read the directory " + dir);
  while (const dirent* entry = readdir(entries.get())) names.emplace_back(entry->d_name);
  return names;
}

Result<void> add_trails(const std::string& dir, std::vector<TrailFile>& trails) {
  auto names = names_in(dir);
  if (!names) return names.error();
  std::map<std::string, SegmentName> first;  // of each trail, by its stem
  for (const std::string& name : *names) {
    const auto segment = parse_segment_name(name);
    if (!segment) continue;
    const auto [found, fresh] = first.emplace(segment->stem, *segment);
    const auto place = [](const SegmentName& each) { return std::pair(each.number, each.compressed); };
    if (!fresh && place(*segment) < place(found->second)) found->second = *segment;
  }
  for (const auto& [stem, segment] : first) trails.push_back({dir, segment.text(), segment.session()});
  return {};
}

void sort_by_start(std::vector<TrailFile>& trails) {
  std::sort(trails.begin(), trails.end(), [](const TrailFile& a, const TrailFile& b) { return a.name < b.name; });
}

}  // namespace

Result<std::vector<TrailFile>> trails_of_sid(const std::string& audit_dir, std::string_view sid) {
  std::vector<TrailFile> trails;
  if (auto added = add_trails(sid_dir(audit_dir, sid), trails); !added) return added.error();
  sort_by_start(trails);
  return trails;
}

Result<std::vector<TrailFile>> trails_of_store(const std::string& audit_dir) {
  auto sids = names_in(audit_dir);
  if (!sids) return sids.error();
  std::vector<TrailFile> trails;
  for (const std::string& name : *sids) {
    if (name.starts_with('.')) continue;  // encode_sid() never makes such a name
    if (auto added = add_trails(audit_dir + "/" + name, trails); !added) return added.error();
  }
  sort_by_start(trails);
  return trails;
}

TrailFile trail_file(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string dir = slash == std::string::npos ? "." : path.substr(0, slash);
  const std::string name = path.substr(slash + 1);  // npos + 1 is 0
  const auto segment = parse_segment_name(name);
  return {dir, name, segment ? segment->session() : ""};
}

bool is_live(const TrailFile& trail) {
  std::array<char, NAME_MAX + 1> target;
  const std::string live = trail.dir + "/" + std::string(kLiveLink);
  const ssize_t length = readlink(live.c_str(), target.data(), target.size());
  const auto segment = parse_segment_name({target.data(), length > 0 ? static_cast<size_t>(length) : 0});
  if (!segment || segment->session() != trail.session) return false;
  const UniqueFd dir(open(trail.dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return dir && is_locked_by_another(dir.get());
}

}  // namespace sidrec
