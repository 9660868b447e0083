#include "recorder/main/recovery.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>
#include <vector>

#include "recorder/base/clock.h"
#include "recorder/base/sid_path.h"
#include "recorder/link/socket.h"
#include "recorder/main/orphans.h"
#include "recorder/trail/reader.h"
#include "recorder/trail/trail.h"
#include "recorder/trail/trail_store.h"

namespace sidrec {
namespace {

constexpr size_t kSuccessorsAtOnce = 16;
constexpr uint64_t kPatienceNs = 60 * kSecond;
constexpr useconds_t kPollUs = 10'000;

bool complain(const std::string& what) {
  std::cerr << "sidrec recover: " << what << "\n";
  return false;
}

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Whose ring disappears has finished it; that of a living host is recorded again.
bool is_done(const Orphan& orphan) {
  const bool is_gone = !is_there(orphan.ring);
  if (!is_gone && !(orphan.host_lives && has_recorder(orphan.ring))) return false;
  std::cout << (is_gone ? "finished " : "recording again: ") << orphan.ring << "\n";
  return true;
}

bool look_after_rings(std::vector<Orphan> left) {
  const uint64_t deadline_ns = monotonic_ns() + kPatienceNs;
  std::vector<Orphan> at_work;
  while ((!left.empty() || !at_work.empty()) && monotonic_ns() < deadline_ns) {
    while (!left.empty() && at_work.size() < kSuccessorsAtOnce) {
      if (start_successor(left.back().ring)) at_work.push_back(left.back());
      left.pop_back();
    }
    ::usleep(kPollUs);
    std::erase_if(at_work, is_done);
  }
  for (const Orphan& each : at_work) complain(each.ring + " is not finished yet; its recorder's log says why");
  return at_work.empty() && left.empty();
}

std::string sid_of(const TrailFile& trail) {
  auto reader = TrailReader::open(trail.path());
  if (!reader) return {};
  const auto more = reader->next();
  if (!more || !*more) return {};
  const auto parsed = reader->parsed();
  return parsed ? string_at(*parsed, "sid") : std::string();
}

// Under the lock of the SID, or not at all. Whoever has a ring of that session may be on his way to go on with it.
bool end_trail(const std::string& sid, const RecoveryDirs& dirs, const MasterIdentity& self, Sealing& sealing) {
  if (!Trail::find_unfinished(dirs.audit_dir, sid)) return true;
  const auto locked = link::lock_directory(sid_dir(dirs.audit_dir, sid));
  if (!locked) return complain(locked.error().message);
  if (!*locked) return true;
  const auto unfinished = Trail::find_unfinished(dirs.audit_dir, sid);
  if (!unfinished || !find_members(dirs.run_dir, {sid, unfinished->session, true}).empty()) return true;
  Trail ended(dirs.audit_dir, sid, sealing.settings());
  const uint64_t now_ns = monotonic_ns();
  if (auto resumed = ended.resume({unfinished->session, wall_clock_offset_ns(), 0}, self, now_ns); !resumed) {
    return complain(resumed.error().message);
  }
  Result<void> done = ended.close_left_open(now_ns);
  if (done) done = ended.end(now_ns, "recovered");
  if (!done) return complain(done.error().message);
  std::cout << "ended " << unfinished->file << "\n";
  return true;
}

}  // namespace

bool recover(const RecoveryDirs& dirs, const MasterIdentity& self, Sealing& sealing) {
  bool good = look_after_rings(find_orphans(dirs.run_dir));
  const auto trails = trails_of_store(dirs.audit_dir);
  if (!trails) return complain(trails.error().message);
  std::set<std::string> seen;
  for (const TrailFile& trail : *trails) {
    if (seen.contains(trail.dir)) continue;
    const std::string sid = sid_of(trail);
    if (sid_dir(dirs.audit_dir, sid) != trail.dir) continue;  // not a whole line in it
    seen.insert(trail.dir);
    good = end_trail(sid, dirs, self, sealing) && good;
  }
  return good;
}

}  // namespace sidrec
