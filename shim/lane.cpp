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

thread_local uint32_t t_hint = 0;   // the lane this thread used last, plus one
thread_local uint32_t t_depth = 0;  // > 1: inside a signal handler that interrupted write_record

// Any number that no other thread of this process has: the address of its own TLS.
uint32_t thread_token() {
  return (static_cast<uint32_t>(reinterpret_cast<uintptr_t>(&t_hint) >> 4) & ~ring::kWaiting) | 1;
}

struct Held {
  LaneControl* lane = nullptr;
  char* data = nullptr;
};

bool take(LaneControl* lane, uint32_t token) {
  uint32_t idle = 0;
  return lane->busy.load(std::memory_order_relaxed) == 0 && lane->busy.compare_exchange_strong(idle, token);
}

Held held(ring::Header* ring, uint32_t i) {
  LaneControl* lane = lane_control(ring, i);
  return {lane, reinterpret_cast<char*>(lane) + ring::kLaneControlBytes};
}

// One of this process's lanes that is idle; else a lane nobody has claimed. No system call.
Held try_lanes(ring::Header* ring, uint32_t token) {
  const uint32_t mine = claimed_lanes();
  const uint32_t first = t_hint ? t_hint - 1 : token / 64;
  for (uint32_t n = 0; n < ring->lanes; ++n) {
    const uint32_t i = (first + n) % ring->lanes;
    if ((mine >> i & 1) && take(lane_control(ring, i), token)) {
      t_hint = i + 1;
      return held(ring, i);
    }
  }
  for (uint32_t n = 0; n < ring->lanes; ++n) {
    const uint32_t i = (first + n) % ring->lanes;
    if (mine >> i & 1) continue;
    if (!claim_lane(ring, i)) continue;
    if (!take(lane_control(ring, i), token)) continue;
    t_hint = i + 1;
    return held(ring, i);
  }
  return {};
}

bool out_of_patience(Patience& patience) {
  const uint64_t now = sys::monotonic_ns();
  if (!patience.deadline_ns) patience.deadline_ns = now + uint64_t{g_settings.patience_ms} * 1'000'000;
  return now >= patience.deadline_ns;
}

Held take_lane(ring::Header* ring, uint32_t token, Patience& patience) {
  for (int spin = 0;; ++spin) {
    if (Held h = try_lanes(ring, token); h.lane) return h;
    if (t_depth > 1) return {};
    if (spin < kSpins) {
      __builtin_ia32_pause();
      continue;
    }
    if (out_of_patience(patience)) return {};
    sys::sleep_ns(kContendedPause);
  }
}

void wake_recorder(ring::Header* ring) {
  if (ring->sleep.exchange(ring::kAwake) == ring::kAwake) return;
  ring->wake.fetch_add(1);
  sys::futex_wake(&ring->wake, 1);
}

size_t room(const ring::Header* ring, const LaneControl* lane) {
  const uint64_t used = lane->head.load(std::memory_order_relaxed) - lane->tail.load(std::memory_order_acquire);
  return used > ring->lane_bytes ? 0 : ring->lane_bytes - used;  // a tail that makes no sense: no room
}

// D9: wait as for any full buffer, but only when a recorder is there, never inside a signal handler that interrupted
// us, and not again after a patience has run out until the recorder has made room.
bool wait_for_room(ring::Header* ring, LaneControl* lane, size_t need, uint32_t token, Patience& patience) {
  if (t_depth > 1 || lane->overrun.load(std::memory_order_relaxed) || !recorder_running()) return false;
  lane->busy.store(token | ring::kWaiting);
  bool found = false;
  lane->waiters.fetch_add(1);
  for (;;) {
    const uint32_t seen = lane->room.load();
    if (room(ring, lane) >= need) {
      found = true;
      break;
    }
    if (out_of_patience(patience)) break;
    wake_recorder(ring);
    const uint64_t now = sys::monotonic_ns();
    if (now < patience.deadline_ns) sys::futex_wait(&lane->room, seen, patience.deadline_ns - now);
  }
  lane->waiters.fetch_sub(1);
  lane->busy.store(token);
  if (!found) lane->overrun.store(1);
  return found;
}

void put(const ring::Header* ring, char* data, uint64_t at, const char* bytes, size_t n) {
  const size_t begin = at & (ring->lane_bytes - 1);
  const size_t before_end = std::min<size_t>(n, ring->lane_bytes - begin);
  memcpy(data + begin, bytes, before_end);
  memcpy(data, bytes + before_end, n - before_end);
}

void put_from(const ring::Header* ring, char* data, uint64_t at, Bytes& from, size_t n) {
  const size_t begin = at & (ring->lane_bytes - 1);
  const size_t before_end = std::min<size_t>(n, ring->lane_bytes - begin);
  from.copy(data + begin, before_end);
  from.copy(data, n - before_end);
}

bool append(ring::Header* ring, const Held& h, ring::RecordHeader record, Bytes& from, uint32_t token,
            Patience& patience) {
  const size_t need = ring::record_bytes(record.payload);
  if (room(ring, h.lane) < need && !wait_for_room(ring, h.lane, need, token, patience)) return false;
  const uint64_t head = h.lane->head.load(std::memory_order_relaxed);
  record.time_ns = sys::monotonic_ns();
  h.lane->floor_ns.store(record.time_ns, std::memory_order_release);
  put(ring, h.data, head, reinterpret_cast<const char*>(&record), sizeof record);
  put_from(ring, h.data, head + sizeof record, from, record.payload);
  h.lane->head.store(head + need, std::memory_order_release);
  return true;
}

}  // namespace

void Bytes::copy(char* to, size_t n) {
  while (n > 0 && count_ > 0) {
    const size_t part = std::min(n, iov_->iov_len - used_);
    if (to) {
      memcpy(to, static_cast<const char*>(iov_->iov_base) + used_, part);
      to += part;
    }
    n -= part;
    used_ += part;
    if (used_ == iov_->iov_len) {
      ++iov_;
      --count_;
      used_ = 0;
    }
  }
}

size_t most_payload(const ring::Header* ring) {
  return std::min<size_t>(ring::kMaxRecordPayload, ring->lane_bytes / 4 - sizeof(ring::RecordHeader));
}

bool write_record(ring::Header* ring, ring::RecordHeader record, Bytes& from, Patience& patience) {
  const uint32_t token = thread_token();
  ++t_depth;
  bool written = false;
  if (const Held h = take_lane(ring, token, patience); h.lane) {
    written = append(ring, h, record, from, token, patience);
    const size_t used = ring->lane_bytes - room(ring, h.lane);
    h.lane->busy.store(0);  // sequentially consistent: the head is visible before we look who sleeps
    const uint32_t sleep = ring->sleep.load();
    if (sleep == ring::kDeep || (sleep == ring::kShallow && used > ring->lane_bytes / 4)) wake_recorder(ring);
  }
  --t_depth;
  return written;
}

}  // namespace sidrec
