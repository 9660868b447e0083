#include "shim/lane.h"

#include <algorithm>
#include <cstring>

#include "shim/process.h"
#include "shim/ring_file.h"
#include "shim/settings.h"
#include "shim/sys.h"

namespace sidrec {
namespace {

using ring::LaneControl;

constexpr int kSpins = 200;               // about 1 us each round of all lanes: longer than a copy takes
constexpr long kContendedPause = 20'000;  // ns
// Who waits for room looks so often whether there is still somebody to make it.
constexpr uint64_t kLookAtRecorderNs = 10'000'000;

thread_local uint32_t t_hint = 0;   // the lane this thread used last, plus one
thread_local uint32_t t_depth = 0;  // > 1: inside a signal handler that interrupted write_record

// Any number that no other thread of this process has: the address of its own TLS.
uint32_t thread_token() { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(&t_hint) >> 4) | 1; }

uint32_t lane_bytes() { return g_own_ring.shape.lane_bytes; }
uint32_t lanes() { return g_own_ring.shape.lanes; }

// What a lane may hold: data leaves an eighth free, so that opens, closes and gaps find room when data does not.
size_t limit(uint8_t kind) { return lane_bytes() - (kind == ring::kData ? lane_bytes() / 8 : 0); }

size_t used(const LaneControl* lane) {
  return lane->head.load(std::memory_order_relaxed) - lane->tail.load(std::memory_order_acquire);
}

// A record's size, and how full its lane may be with it. A tail that makes no sense leaves no room.
struct Need {
  size_t bytes;
  size_t limit;

  bool fits(const LaneControl* lane) const {
    const size_t in_use = used(lane);
    return in_use <= limit && limit - in_use >= bytes;
  }
};

bool take(LaneControl* lane, uint32_t token, const Need& need) {
  uint32_t idle = 0;
  if (lane->busy.load(std::memory_order_relaxed) != 0 || !lane->busy.compare_exchange_strong(idle, token)) return false;
  if (need.fits(lane)) return true;
  lane->busy.store(0);
  return false;
}

// The one this thread had last: the way of nearly every record.
LaneControl* take_last(ring::Header* ring, uint32_t token, const Need& need) {
  const uint32_t i = t_hint - 1;
  if (i >= ring::kMaxLanes || !(claimed_lanes() >> i & 1)) return nullptr;
  LaneControl* lane = lane_control(ring, i);
  return take(lane, token, need) ? lane : nullptr;
}

// One of this process's lanes that is idle and has room; else a lane nobody has claimed. No system call. When there
// is none, `full` is a lane that only lacks room, if there is one.
LaneControl* try_lanes(ring::Header* ring, uint32_t token, const Need& need, LaneControl*& full) {
  const uint32_t mine = claimed_lanes();
  const uint32_t first = t_hint ? t_hint - 1 : token / 64;
  full = nullptr;
  for (uint32_t n = 0; n < lanes(); ++n) {
    const uint32_t i = (first + n) % lanes();
    if (!(mine >> i & 1)) continue;
    LaneControl* lane = lane_control(ring, i);
    if (!need.fits(lane)) {
      if (!full) full = lane;
    } else if (take(lane, token, need)) {
      t_hint = i + 1;
      return lane;
    }
  }
  for (uint32_t n = 0; n < lanes(); ++n) {
    const uint32_t i = (first + n) % lanes();
    if (!(mine >> i & 1) && claim_lane(ring, i) && take(lane_control(ring, i), token, need)) {
      t_hint = i + 1;
      return lane_control(ring, i);
    }
  }
  return nullptr;
}

bool out_of_patience(Patience& patience) {
  const uint64_t now = sys::monotonic_ns();
  if (!patience.deadline_ns) patience.deadline_ns = now + uint64_t{g_settings.patience_ms} * 1'000'000;
  return now >= patience.deadline_ns;
}

void wake_recorder(ring::Header* ring) {
  const uint32_t slept = ring->sleep.exchange(ring::kAwake);
  if (slept == ring::kAwake) return;
  if (slept & ring::kNap) {
    sys::futex_wake(&ring->sleep, 1);
    return;
  }
  ring->wake.fetch_add(1);
  sys::futex_wake(&ring->wake, 1);
}

// D9: wait as for any full buffer, but only when a recorder is there, and not again after a patience has run out until
// the recorder has made room. Holds nothing meanwhile.
bool wait_for_room(ring::Header* ring, LaneControl* lane, const Need& need, Patience& patience) {
  if (lane->overrun.load(std::memory_order_relaxed) || !recorder_running()) return false;
  if (out_of_patience(patience)) {
    lane->overrun.store(1);
    return false;
  }
  lane->waiters.fetch_add(1);
  const uint32_t seen = lane->room.load();
  if (!need.fits(lane)) {
    wake_recorder(ring);
    restart_recorder(ring);
    const uint64_t now = sys::monotonic_ns();
    if (now < patience.deadline_ns) {
      sys::futex_wait(&lane->room, seen, std::min(patience.deadline_ns - now, kLookAtRecorderNs));
    }
  }
  lane->waiters.fetch_sub(1);
  return true;
}

[[gnu::noinline]] LaneControl* take_any(ring::Header* ring, uint32_t token, const Need& need, Patience& patience) {
  for (int spin = 0;; ++spin) {
    LaneControl* full = nullptr;
    if (LaneControl* lane = try_lanes(ring, token, need, full)) return lane;
    if (t_depth > 1) return nullptr;  // in a signal handler that interrupted us: never wait
    if (full) {
      if (!wait_for_room(ring, full, need, patience)) return nullptr;
    } else if (spin < kSpins) {
      __builtin_ia32_pause();
    } else {
      if (out_of_patience(patience)) return nullptr;
      sys::sleep_ns(kContendedPause);
    }
  }
}

[[gnu::noinline]] void put_around_the_end(char* data, size_t begin, const ring::RecordHeader& record, Bytes& from) {
  const size_t before_end = lane_bytes() - begin;
  const auto* bytes = reinterpret_cast<const char*>(&record);
  const size_t of_header = std::min(sizeof record, before_end);
  memcpy(data + begin, bytes, of_header);
  memcpy(data, bytes + of_header, sizeof record - of_header);
  const size_t payload_at = (begin + sizeof record) & (lane_bytes() - 1);
  const size_t of_payload = std::min<size_t>(record.payload, lane_bytes() - payload_at);
  from.copy(data + payload_at, of_payload);
  from.copy(data, record.payload - of_payload);
}

// Most records lie in one piece: the header is then stores, and its bytes one memcpy.
void put(char* data, uint64_t at, const ring::RecordHeader& record, Bytes& from) {
  const size_t begin = at & (lane_bytes() - 1);
  if (__builtin_expect(sizeof record + record.payload > lane_bytes() - begin, 0)) {
    return put_around_the_end(data, begin, record, from);
  }
  memcpy(data + begin, &record, sizeof record);
  from.copy(data + begin + sizeof record, record.payload);
}

void append(LaneControl* lane, ring::RecordHeader record, Bytes& from) {
  const uint64_t head = lane->head.load(std::memory_order_relaxed);
  const uint64_t began_ns = record.time_ns;
  record.time_ns = sys::monotonic_ns();
  if (began_ns) record.age_ns = static_cast<uint32_t>(std::min<uint64_t>(record.time_ns - began_ns, ring::kMaxAgeNs));
  lane->floor_ns.store(record.time_ns, std::memory_order_release);
  put(reinterpret_cast<char*>(lane) + ring::kLaneControlBytes, head, record, from);
  lane->head.store(head + ring::record_bytes(record.payload), std::memory_order_release);
}

}  // namespace

void Bytes::copy_pieces(char* to, size_t n) {
  while (n > 0 && count_ > 0) {
    const size_t part = std::min(n, iov_->iov_len - used_);
    memcpy(to, static_cast<const char*>(iov_->iov_base) + used_, part);
    to += part;
    n -= part;
    used_ += part;
    if (used_ == iov_->iov_len) {
      ++iov_;
      --count_;
      used_ = 0;
    }
  }
}

size_t most_payload() {
  return std::min<size_t>(ring::kMaxRecordPayload, lane_bytes() / 4 - sizeof(ring::RecordHeader));
}

bool write_record(ring::Header* ring, const ring::RecordHeader& record, Bytes& from, Patience& patience) {
  const Need need{ring::record_bytes(record.payload), limit(record.kind)};
  ++t_depth;
  const uint32_t token = thread_token();
  LaneControl* lane = take_last(ring, token, need);
  if (__builtin_expect(!lane, 0)) lane = take_any(ring, token, need, patience);
  if (__builtin_expect(lane != nullptr, 1)) {
    append(lane, record, from);
    const size_t in_use = used(lane);
    lane->busy.store(0);  // sequentially consistent: the head is visible before we look who sleeps
    if (__builtin_expect(!has_recorder(ring), 0) && t_depth == 1) restart_recorder(ring);
    const uint32_t sleep = ring->sleep.load();
    if (sleep & ring::kDeep || (sleep & ring::kShallow && in_use > lane_bytes() / 4)) wake_recorder(ring);
  }
  --t_depth;
  return lane != nullptr;
}

}  // namespace sidrec
