#include "recorder/trail/trail.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <memory>

#include "recorder/base/clock.h"
#include "recorder/base/sid_path.h"
#include "recorder/trail/last_line.h"
#include "recorder/trail/open_connections.h"
#include "recorder/trail/trail_scan.h"

namespace sidrec {
namespace {

constexpr mode_t kTrailMode = 0640;
constexpr int kTrailFlags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;  // a FIFO must not hold us
constexpr size_t kLastWords = 4096;  // what may be taken from the reserve when there is no room: the end of a session
constexpr size_t kKeepRoom = 16 * 1024 * 1024;  // what an idle trail may keep of a burst's buffer

// What `.live` says, if it says the name of a trail in its own directory.
std::optional<SegmentName> live_name(int dir) {
  std::array<char, NAME_MAX + 1> target;
  const ssize_t length = readlinkat(dir, std::string(kLiveLink).c_str(), target.data(), target.size());
  if (length <= 0) return std::nullopt;
  return parse_segment_name({target.data(), static_cast<size_t>(length)});
}

uint64_t quiet_ns(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return 0;
  const uint64_t written_ns = static_cast<uint64_t>(found.st_mtim.tv_sec) * kSecond + found.st_mtim.tv_nsec;
  return clock_ns(CLOCK_REALTIME) - std::min(clock_ns(CLOCK_REALTIME), written_ns);
}

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace

Trail::Trail(std::string audit_dir, std::string sid, const TrailSettings& settings)
    : audit_dir_(std::move(audit_dir)),
      sid_(std::move(sid)),
      settings_(settings),
      dir_path_(sid_dir(audit_dir_, sid_)) {}

std::optional<UnfinishedTrail> Trail::find_unfinished(std::string_view audit_dir, std::string_view sid) {
  const std::string dir_path = sid_dir(audit_dir, sid);
  const UniqueFd dir = open_directory(dir_path);
  if (!dir) return std::nullopt;
  const auto name = live_name(dir.get());
  if (!name) return std::nullopt;
  auto bytes = TrailBytes::open(dir_path + "/" + name->text());
  if (!bytes || trail_end_of(*bytes)) return std::nullopt;
  return UnfinishedTrail{bytes->path(), name->session(), quiet_ns(dir_path + "/" + name->text())};
}

Result<UniqueFd> Trail::open_dir() const {
  if (auto made = make_sid_dir(audit_dir_, sid_); !made) return made.error();
  UniqueFd dir = open_directory(dir_path_);
  if (!dir) return errno_error("cannot open the directory " + dir_path_);
  return dir;
}

Result<void> Trail::point_live_at(int dir, const std::string& name) const {
  const std::string live(kLiveLink);
  const std::string fresh = live + ".new";
  unlinkat(dir, fresh.c_str(), 0);  // what a master that died here left
  if (symlinkat(name.c_str(), dir, fresh.c_str()) != 0 || renameat(dir, fresh.c_str(), dir, live.c_str()) != 0) {
    return errno_error("cannot make " + dir_path_ + "/" + live);
  }
  return {};
}

void Trail::start_epoch(const SessionIdentity& identity, uint32_t epoch) {
  SessionIdentity now = identity;
  now.epoch = epoch_ = epoch;
  lines_.emplace(sid_, now);
}

void Trail::forget() {
  pending_.clear();
  end_written_ = false;
  chain_ = {};
  covered_ = 0;
  sealed_seq_ = 0;
  unsealed_since_ns_.reset();
  segment_bytes_ = 0;
  segment_since_ns_.reset();
  file_bytes_ = 0;
  allocated_ = 0;
  full_ = false;
}

Result<void> Trail::begin(const SessionIdentity& identity, const MasterIdentity& master, uint64_t time_ns) {
  if (!is_session_id(identity.session)) return Error{"not a session id: " + identity.session, EINVAL};
  auto dir = open_dir();
  if (!dir) return dir.error();
  forget();
  start_epoch(identity, std::max(identity.epoch, 1u));
  start_wall_ns_ = lines_->wall_ns(time_ns);
  name_ = *parse_segment_name(trail_name(start_wall_ns_, identity.session));
  file_ = dir_path_ + "/" + name_.text();
  // The link first: a death between the two leaves a link to nothing, which nobody minds.
  if (auto live = point_live_at(dir->get(), name_.text()); !live) return live;
  fd_.reset(openat(dir->get(), name_.text().c_str(), kTrailFlags | O_CREAT | O_EXCL, kTrailMode));
  if (!fd_) return errno_error("cannot make the trail " + file_);
  seq_ = 0;
  latest_wall_us_ = 0;
  totals_ = {};
  laneless_.clear();
  falls_back(time_ns);
  lines_->session_start(pending_, ++seq_, time_ns, master);
  if (auto started = commit(time_ns); !started) {
    // Nothing has been recorded here yet: leave no empty trail behind, so that begin() may be tried again.
    unlinkat(dir->get(), name_.text().c_str(), 0);
    unlinkat(dir->get(), std::string(kLiveLink).c_str(), 0);
    fd_.reset();
    pending_.clear();
    return started;
  }
  return {};
}

Result<SegmentName> Trail::find_name(int dir, std::string_view session) const {
  if (const auto live = live_name(dir); live && live->session() == session) return *live;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(dir_path_.c_str()), closedir);
  while (entries) {
    const dirent* entry = readdir(entries.get());
    if (entry == nullptr) break;
    if (const auto name = parse_segment_name(entry->d_name); name && name->session() == session) return *name;
  }
  return Error{"no trail of session " + std::string(session) + " in " + dir_path_, ENOENT};
}

// Reads the trail, takes it into the chain, and opens its last segment behind its last whole line.
Result<TrailScan> Trail::open_last_segment(const SegmentName& name) {
  auto bytes = TrailBytes::open(dir_path_ + "/" + name.text());
  if (!bytes) return bytes.error();
  auto scan = scan_trail(*bytes);
  if (!scan) return scan;
  file_ = bytes->files().back();
  name_ = *parse_segment_name(std::string_view(file_).substr(dir_path_.size() + 1));
  if (scan->ended) return Error{file_ + " has its session.end already", EEXIST};
  if (name_.compressed) return Error{file_ + " is compressed: nothing can be written behind it", EROFS};
  if (auto read = chain_.add_written(*bytes, scan->sealed_bytes, scan->whole_bytes); !read) return read.error();
  fd_.reset(open(file_.c_str(), kTrailFlags));
  if (!fd_) return errno_error("cannot open the trail " + file_);
  const uint64_t begin = bytes->begin_of_segment_at(scan->whole_bytes + scan->torn_bytes);
  if (scan->whole_bytes < begin) return Error{file_ + " follows a segment that is torn", EIO};
  segment_bytes_ = file_bytes_ = scan->whole_bytes - begin;
  if (scan->torn_bytes > 0 && ftruncate(fd_.get(), static_cast<off_t>(segment_bytes_)) != 0) {
    return errno_error("cannot cut the torn last line of " + file_);
  }
  return scan;
}

Result<Watermarks> Trail::resume(const SessionIdentity& identity, const MasterIdentity& master, uint64_t time_ns) {
  if (!is_session_id(identity.session)) return Error{"not a session id: " + identity.session, EINVAL};
  auto dir = open_dir();
  if (!dir) return dir.error();
  auto name = find_name(dir->get(), identity.session);
  if (!name) return name.error();
  forget();
  auto scan = open_last_segment(*name);
  if (!scan) return scan.error();
  if (auto live = point_live_at(dir->get(), name_.text()); !live) return live.error();

  const uint32_t last_epoch = std::max(scan->last_epoch, identity.epoch);
  start_epoch(identity, last_epoch + 1);
  seq_ = scan->last_seq;
  totals_ = std::move(scan->totals);
  laneless_ = std::move(scan->laneless);
  start_wall_ns_ = scan->started ? scan->start_wall_ns : lines_->wall_ns(time_ns);
  latest_wall_us_ = scan->latest_wall_ns / 1000;
  time_ns = no_earlier(time_ns);
  // The master before us may have died before its first line was whole.
  if (!scan->started) lines_->session_start(pending_, ++seq_, time_ns, master);
  const std::string_view why = identity.epoch == 0 ? "recovered" : "master gone";
  lines_->master_change(pending_, ++seq_, time_ns, scan->master, master.rec, why, scan->torn_bytes);
  if (auto committed = commit(time_ns); !committed) return committed.error();
  return std::move(scan->watermarks);
}

// Compares what the lines show, microseconds, and remembers the latest.
bool Trail::falls_back(uint64_t time_ns) {
  const uint64_t wall_us = lines_->wall_ns(time_ns) / 1000;
  if (wall_us < latest_wall_us_) return true;
  latest_wall_us_ = wall_us;
  return false;
}

// For lines of our own: as late as the one above. A new master's clock was read before it had the lock.
uint64_t Trail::no_earlier(uint64_t time_ns) {
  if (!falls_back(time_ns)) return time_ns;
  return time_ns + latest_wall_us_ * 1000 - lines_->wall_ns(time_ns) / 1000 * 1000;
}

void Trail::append(std::string_view rec, const EventView& event, bool late) {
  if (event->lane == kNoLane && laneless_.contains({event->pos, std::string(rec)})) return;
  // A recorder and its successor may each have seen a connection's end, one by its record, one by the kernel's word.
  if (event->kind == EventKind::kConnClose && !totals_.is_open(rec, event->conn)) return;
  switch (event->kind) {
    case EventKind::kData:
    case EventKind::kMasked:
    case EventKind::kFolded: totals_.data(event->dir, event->len); break;
    case EventKind::kGap: totals_.gap(event->dir, event->len); break;
    case EventKind::kConnOpen: totals_.opened(rec, event->conn); break;
    case EventKind::kConnClose: totals_.closed(rec, event->conn); break;
    case EventKind::kChanOpen:
    case EventKind::kChanClose:
    case EventKind::kIdentity:
    case EventKind::kResize:
    case EventKind::kTransfer: totals_.other(); break;
  }
  const bool fell = falls_back(event->time_ns);
  lines_->event(pending_, ++seq_, rec, event, late || fell);
}

void Trail::cover_pending() {
  chain_.add(std::string_view(pending_).substr(covered_));
  covered_ = pending_.size();
}

// Its ts is that of the line before: a seal says nothing of time, and must make no line after it late.
void Trail::seal() {
  lines_->begin_seal(pending_, ++seq_, latest_wall_us_ * 1000);
  cover_pending();
  const std::string hash = chain_.close();
  append_seal_rest(pending_, hash, settings_.seal_key == nullptr ? std::string() : settings_.seal_key->sign(hash));
  sealed_seq_ = seq_;
  unsealed_since_ns_.reset();
}

std::optional<uint64_t> Trail::deadline_ns() const {
  std::optional<uint64_t> soonest;
  if (unsealed_since_ns_) soonest = *unsealed_since_ns_ + settings_.seal_ns;
  if (segment_since_ns_ && settings_.segment_ns != 0) sooner(soonest, *segment_since_ns_ + settings_.segment_ns);
  return soonest;
}

Result<void> Trail::commit(uint64_t now_ns) {
  cover_pending();
  if (seq_ > sealed_seq_) {
    if (!unsealed_since_ns_) unsealed_since_ns_ = now_ns;
    if (chain_.bytes() >= settings_.seal_bytes || now_ns >= *unsealed_since_ns_ + settings_.seal_ns) seal();
  }
  if (!segment_since_ns_ && !pending_.empty()) segment_since_ns_ = now_ns;
  const bool is_whole = is_segment_full(now_ns);
  if (is_whole && seq_ > sealed_seq_) seal();
  const int lack = lack_of_room();
  if (lack != 0 && full_ && pending_.size() > kLastWords) return errno_error("cannot write " + file_, lack);
  if (lack != 0 && !full_) lines_->store_full(pending_, ++seq_, latest_wall_us_ * 1000, now_ns, std::strerror(lack));
  if (lack == 0 && full_) lines_->store_room(pending_, ++seq_, latest_wall_us_ * 1000, now_ns);
  full_ = lack != 0;
  if (auto written = write_pending(); !written) return written;
  if (is_whole) begin_segment(now_ns);
  return {};
}

// Behind what is about to be written the reserve must be free, and is taken at once (fallocate(2)): what it is for can
// be written then, whoever fills the disk. A little more is taken than needed, so as to ask seldom.
int Trail::lack_of_room() {
  const uint64_t needed = file_bytes_ + pending_.size() + settings_.reserve_bytes;
  if (settings_.reserve_bytes == 0 || needed <= allocated_) return 0;
  const uint64_t wanted = needed + settings_.reserve_bytes;
  const uint64_t from = std::max(file_bytes_, allocated_);  // to ask again for what is there costs a look at each page
  const auto bytes = static_cast<off_t>(wanted - from);
  if (fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from), bytes) == 0) {
    allocated_ = wanted;
    return 0;
  }
  if (errno == ENOSPC || errno == EDQUOT) return errno;
  settings_.reserve_bytes = 0;  // a file system that has no such thing
  return 0;
}

// To cut a file to the length it has frees what is behind (ftruncate(2)), also what a master before us had taken and
// what a fallocate(2) that failed had got.
void Trail::give_back_reserve() {
  (void)ftruncate(fd_.get(), static_cast<off_t>(file_bytes_));
  allocated_ = 0;
}

bool Trail::is_segment_full(uint64_t now_ns) const {
  if (!segment_since_ns_) return false;
  const bool is_long = settings_.segment_bytes != 0 && segment_bytes_ + pending_.size() >= settings_.segment_bytes;
  const bool is_old = settings_.segment_ns != 0 && now_ns >= *segment_since_ns_ + settings_.segment_ns;
  return is_long || is_old;
}

// The file first, then the link: a death between the two leaves an empty segment, which the next master goes on with.
// Where none can be made nothing is lost: the present one goes on until it is as long, or as old, again.
void Trail::begin_segment(uint64_t now_ns) {
  segment_bytes_ = 0;
  segment_since_ns_ = now_ns;
  const auto dir = open_dir();
  if (!dir) return;
  const SegmentName next = name_.next();
  UniqueFd fd(openat(dir->get(), next.text().c_str(), kTrailFlags | O_CREAT | O_EXCL, kTrailMode));
  if (!fd) return;
  give_back_reserve();
  file_bytes_ = 0;
  fd_ = std::move(fd);
  name_ = next;
  file_ = dir_path_ + "/" + next.text();
  segment_since_ns_.reset();
  (void)point_live_at(dir->get(), next.text());  // one that names a segment before serves as well
}

Result<void> Trail::write_pending() {
  cover_pending();
  size_t written = 0;
  while (written < pending_.size()) {
    const ssize_t put = write(fd_.get(), pending_.data() + written, pending_.size() - written);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      const int code = put < 0 ? errno : ENOSPC;
      pending_.erase(0, written);
      covered_ -= written;
      return errno_error("cannot write " + file_, code);
    }
    written += static_cast<size_t>(put);
    segment_bytes_ += static_cast<uint64_t>(put);
    file_bytes_ += static_cast<uint64_t>(put);
  }
  pending_.clear();
  covered_ = 0;
  if (pending_.capacity() > kKeepRoom) pending_.shrink_to_fit();
  return {};
}

Result<void> Trail::close_left_open(uint64_t time_ns) {
  const auto left = open_connections(file_, {}, [](uint32_t, uint64_t) { return true; });
  if (!left) return left.error();
  for (const OpenConnection& connection : left->open) {
    EventHeader header{};
    header.time_ns = time_ns;
    header.lane = kNoLane;
    header.conn = connection.conn;
    header.kind = EventKind::kChanClose;
    for (const auto& [chan, channel] : connection.channels) {
      header.chan = header.pos = chan;
      ChanClose facts{};
      std::copy(channel.flow.offset.begin(), channel.flow.offset.end(), facts.bytes);
      append(connection.rec, {&header, view_of(facts)}, false);
    }
    header.kind = EventKind::kConnClose;
    header.chan = 0;
    header.pos = connection.conn;
    header.why = static_cast<uint8_t>(CloseWhy::kRecovered);
    ConnClose facts{};
    facts.bytes_in = connection.flow.offset[0];
    facts.bytes_out = connection.flow.offset[1];
    facts.missing_in = connection.flow.missing[0];
    facts.missing_out = connection.flow.missing[1];
    append(connection.rec, {&header, view_of(facts)}, false);
  }
  return commit(time_ns);
}

Result<void> Trail::end(uint64_t time_ns, std::string_view why) {
  if (!end_written_) {
    time_ns = no_earlier(time_ns);
    const uint64_t end_wall_ns = std::max(lines_->wall_ns(time_ns), start_wall_ns_);
    lines_->session_end(pending_, ++seq_, time_ns, totals(), (end_wall_ns - start_wall_ns_) / 1'000'000, why);
    seal();
    end_written_ = true;
  }
  if (auto written = write_pending(); !written) return written;
  const UniqueFd dir = open_directory(dir_path_);
  const auto live = dir ? live_name(dir.get()) : std::nullopt;
  if (live && live->stem == name_.stem) unlinkat(dir.get(), std::string(kLiveLink).c_str(), 0);
  give_back_reserve();
  fd_.reset();
  return {};
}

}  // namespace sidrec
