#include "recorder/ring/ring_reader.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <limits>

namespace sidrec {
namespace {

constexpr uint64_t kForEver = std::numeric_limits<uint64_t>::max();

const char* flaw_of(const ring::RecordHeader& header) {
  if (header.dir > ring::kErr) return "a record of no direction";
  switch (header.kind) {
    case ring::kOpen: return header.payload == sizeof(ring::Open) ? nullptr : "an Open of a wrong length";
    case ring::kData:
      return header.payload > 0 && header.payload <= ring::kMaxRecordPayload ? nullptr : "data of a wrong length";
    case ring::kGap: return header.payload == sizeof(ring::Gap) ? nullptr : "a Gap of a wrong length";
    case ring::kRelease: return header.payload == sizeof(ring::Release) ? nullptr : "a Release of a wrong length";
    case ring::kSeen:
    case ring::kMasked: return header.payload == sizeof(ring::Seen) ? nullptr : "a count of a wrong length";
    case ring::kChanOpen: return header.payload == sizeof(ring::ChanOpen) ? nullptr : "a ChanOpen of a wrong length";
    case ring::kIdentity: return header.payload == sizeof(ring::Identity) ? nullptr : "an Identity of a wrong length";
    case ring::kResize: return header.payload == sizeof(ring::Resize) ? nullptr : "a Resize of a wrong length";
    case ring::kHold:
    case ring::kFork:
    case ring::kShared:
    case ring::kCutOff:
    case ring::kChanClose: return header.payload == 0 ? nullptr : "a payload where none belongs";
    default: return "a record of unknown kind";
  }
}

}  // namespace

RingReader::RingReader(const RingFile& ring, OnError on_error)
    : lane_bytes_(ring.facts().lane_bytes), on_error_(std::move(on_error)), payload_(ring::kMaxRecordPayload) {
  for (uint32_t index = 0; index < ring.facts().lanes; ++index) {
    Lane lane;
    lane.control = &ring.control(index);
    lane.data = ring.lane_data(index);
    lane.tail = lane.read = lane.head = lane.control->tail.load(std::memory_order_acquire);
    lanes_.push_back(lane);
    if (lane.tail % 8 != 0) retire(index, "a tail between records");
  }
}

void RingReader::retire(uint32_t index, const char* why) {
  Lane& lane = lanes_[index];
  lane.retired = true;
  lane.loaded = false;
  on_error_("lane " + std::to_string(index) + " is retired at " + std::to_string(lane.read) + ": " + why);
}

// Notices a writer that makes no progress, so that it does not hold back the others for ever.
void RingReader::watch_writer(Lane& lane, uint32_t busy, uint64_t floor_ns, uint64_t now_ns) {
  const bool same = busy == lane.busy && floor_ns == lane.busy_floor && lane.head == lane.busy_head;
  if (same && busy != 0) {
    if (!lane.stuck && now_ns >= lane.busy_since_ns + kStuckNs) {
      lane.stuck = true;
      ++stuck_writers_;
    }
    return;
  }
  lane.busy = busy;
  lane.busy_floor = floor_ns;
  lane.busy_head = lane.head;
  lane.busy_since_ns = now_ns;
  lane.stuck = false;
}

// Reads a lane's words in the order that invariant 3 of the ring needs: busy, floor, head. Returns the time before
// which nothing can appear in this lane any more.
uint64_t RingReader::look(Lane& lane, uint64_t now_ns) {
  const uint32_t busy = lane.control->busy.load(std::memory_order_seq_cst);
  const uint64_t floor_ns = lane.control->floor_ns.load(std::memory_order_seq_cst);
  lane.head = lane.control->head.load(std::memory_order_acquire);
  const bool writing = busy != 0;
  watch_writer(lane, writing ? busy : 0, floor_ns, now_ns);
  return writing && !lane.stuck ? floor_ns : now_ns;
}

void RingReader::copy_out(const Lane& lane, uint64_t pos, char* to, size_t bytes) const {
  const size_t at = pos & (lane_bytes_ - 1);
  const size_t first = std::min<size_t>(bytes, lane_bytes_ - at);
  std::memcpy(to, lane.data + at, first);
  std::memcpy(to + first, lane.data, bytes - first);
}

// Makes `next` the record at `read`, if there is one.
bool RingReader::load(uint32_t index, uint64_t now_ns) {
  Lane& lane = lanes_[index];
  if (lane.loaded) return true;
  if (lane.retired || lane.head == lane.read) return false;
  const uint64_t published = lane.head - lane.read;
  const char* flaw = nullptr;
  if (lane.head < lane.read || lane.head - lane.tail > lane_bytes_ || published < sizeof lane.next) {
    flaw = "a head that cannot be";
  } else {
    copy_out(lane, lane.read, reinterpret_cast<char*>(&lane.next), sizeof lane.next);
    flaw = flaw_of(lane.next);
    if (flaw == nullptr && ring::record_bytes(lane.next.payload) > published) flaw = "a record longer than its lane";
  }
  if (flaw != nullptr) {
    retire(index, flaw);
    return false;
  }
  // A time that is still to come holds back a lane for a pass; one far off is a lie, and must not for longer.
  if (lane.next.time_ns > now_ns + kSecond) lane.next.time_ns = now_ns;
  lane.loaded = true;
  return true;
}

std::optional<uint32_t> RingReader::oldest(uint64_t horizon_ns, uint64_t now_ns) {
  std::optional<uint32_t> best;
  for (uint32_t index = 0; index < lanes_.size(); ++index) {
    if (!load(index, now_ns) || lanes_[index].next.time_ns > horizon_ns) continue;
    if (!best || lanes_[index].next.time_ns < lanes_[*best].next.time_ns) best = index;
  }
  return best;
}

size_t RingReader::hand_out(uint32_t index, const Sink& sink) {
  Lane& lane = lanes_[index];
  const ring::RecordHeader header = lane.next;
  copy_out(lane, lane.read + sizeof header, payload_.data(), header.payload);
  const size_t bytes = ring::record_bytes(header.payload);
  lane.read += bytes;
  lane.loaded = false;
  sink({index, lane.read, header, {payload_.data(), header.payload}});
  return bytes;
}

size_t RingReader::pass(uint64_t now_ns, bool dead, const Sink& sink) {
  uint64_t horizon_ns = now_ns;
  for (Lane& lane : lanes_) horizon_ns = std::min(horizon_ns, look(lane, now_ns));
  if (dead) horizon_ns = kForEver;
  size_t records = 0;
  has_more_ = false;
  for (size_t bytes = 0;;) {
    const auto next = oldest(horizon_ns, now_ns);
    if (!next) break;
    if (bytes >= kPassBytes) {
      has_more_ = true;
      break;
    }
    bytes += hand_out(*next, sink);
    ++records;
  }
  return records;
}

bool RingReader::has_unripe() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return !l.retired && l.head != l.read; });
}

bool RingReader::has_news(uint64_t least_bytes) const {
  return std::any_of(lanes_.begin(), lanes_.end(), [least_bytes](const Lane& lane) {
    return !lane.retired && lane.control->head.load(std::memory_order_seq_cst) - lane.head >= least_bytes;
  });
}

bool RingReader::is_filled(uint64_t bytes) const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [bytes](const Lane& l) { return !l.retired && l.read - l.tail > bytes; });
}

void RingReader::give_back(uint32_t index, uint64_t pos) {
  Lane& lane = lanes_[index];
  if (pos > lane.tail && pos <= lane.read) {
    lane.tail = pos;
    // Sequentially consistent with a waiter that counts itself and then looks at the tail once more.
    lane.control->tail.store(pos, std::memory_order_seq_cst);
    if (lane.control->waiters.load(std::memory_order_seq_cst) > 0) {
      lane.control->room.fetch_add(1, std::memory_order_seq_cst);
      ::syscall(SYS_futex, static_cast<void*>(&lane.control->room), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
  }
  if (lane.control->overrun.load(std::memory_order_relaxed) != 0 &&
      lane.control->head.load(std::memory_order_acquire) - lane.tail < lane_bytes_ / 2) {
    lane.control->overrun.store(0, std::memory_order_release);
  }
}

}  // namespace sidrec
