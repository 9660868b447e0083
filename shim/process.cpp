#include "shim/process.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>

#include <algorithm>
#include <atomic>

#include "shim/capture.h"
#include "shim/complaint.h"
#include "shim/fd_table.h"
#include "shim/inherited.h"
#include "shim/real.h"
#include "shim/ring_file.h"
#include "shim/settings.h"
#include "shim/spawn.h"
#include "shim/ssh.h"
#include "shim/sys.h"

namespace sidrec {
namespace {

constexpr uint32_t kLanesOfServer = 8;  // a process that accepts and serves: several threads at once
constexpr uint32_t kLanesOfChild = 4;   // a forked child that serves one connection

// Between two starts; ever longer when one recorder after the other dies without giving any room back.
constexpr uint64_t kRestartPauseNs = 20'000'000;
constexpr uint32_t kPatientStarts = 16;
constexpr uint32_t kStartsToTellOf = 4;
constexpr uint32_t kMostDoublings = 11;  // 41 s

// A start takes about 1 ms, on a machine that has time; a recorder too many ends at once.
constexpr uint64_t kTimeToComeNs = 300'000'000;

enum Stage : uint32_t { kNone = 0, kMaking = 1, kReady = 2, kFailed = 3 };

// On a page with MADV_WIPEONFORK (madvise(2)): a child of fork or _Fork finds it zero.
struct Process {
  std::atomic<uint32_t> pid;
  std::atomic<uint32_t> ring;      // Stage
  std::atomic<uint32_t> recorder;  // Stage
  std::atomic<uint32_t> lanes;     // claimed by this process, a bit each
};

constinit Process* g_process = nullptr;  // nullptr: recording is off
constinit std::atomic<ring::Header*> g_ring{nullptr};
constinit std::atomic<uint32_t> g_forks{0};
// These three are left behind for a child to know its parent by.
constinit std::atomic<bool> g_recorder_started{false};
constinit std::atomic<uint32_t> g_claimed{0};
constinit std::atomic<uint32_t> g_given_up{0};
constinit std::atomic<uint64_t> g_restart_not_before_ns{0};
constinit std::atomic<uint64_t> g_given_back_before{0};
constinit std::atomic<uint32_t> g_starts_in_vain{0};
constinit std::atomic<bool> g_told_of_starts{false};
constinit std::atomic<uint64_t> g_started_ns{0};
constinit uint64_t g_service = 0;
constinit bool g_sandboxed = false;
constinit bool g_forked = false;

// This process's state; the first look after a fork settles what was inherited.
Process* process() {
  Process* p = g_process;
  if (p && __builtin_expect(p->pid.load(std::memory_order_relaxed) == 0, 0)) after_fork_in_child();
  return p;
}

uint32_t power_of_two_below(uint32_t value) { return value ? 1u << (31 - __builtin_clz(value)) : 0; }

bool holds_listener() {
  for (int fd = 0; fd < tracked_bound(); ++fd)
    if (kind_of(fd) == kListener) return true;
  return false;
}

// A forked child serves one connection, or is a worker that accepts for itself.
RingShape shape() {
  const bool serves_one = g_forked && !holds_listener();
  const uint32_t lanes = serves_one ? kLanesOfChild : kLanesOfServer;
  const uint32_t bytes = g_settings.ring_kib * 1024 / (serves_one ? 8 : 1);
  uint32_t lane = power_of_two_below(bytes / lanes);
  lane = lane < ring::kMinLaneBytes ? ring::kMinLaneBytes : lane > ring::kMaxLaneBytes ? ring::kMaxLaneBytes : lane;
  return {lanes, lane};
}

// Whose recorders may wait for this process, and its own for others; 0: nobody's.
uint64_t service() { return g_forked ? g_service : 0; }

bool is_given_up(uint32_t lane) { return g_given_up.load(std::memory_order_relaxed) >> lane & 1; }

template <typename Which>
void give_up_lanes(ring::Header* ring, const Which& which) {
  for (uint32_t lane = 0; lane < g_own_ring.shape.lanes; ++lane) {
    if (is_given_up(lane) || !which(lane)) continue;
    g_given_up.fetch_or(1u << lane);
    give_up_lane(ring, lane);
  }
}

__attribute__((constructor)) void start() {
  resolve_real();
  remember_stderr();
  if (!load_settings()) return;
  const long page = sys::call(SYS_mmap, 0, ring::kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page < 0 && page > -4096) return;
  if (sys::call(SYS_madvise, page, ring::kPage, MADV_WIPEONFORK) < 0) return;
  auto* p = reinterpret_cast<Process*>(page);
  p->pid = static_cast<uint32_t>(sys::getpid());
  g_service = sys::monotonic_ns() << 16 ^ p->pid;
  pthread_atfork(about_to_fork, nullptr, after_fork_in_child);
  g_process = p;
  recognise_ssh_host(g_settings.program.c_str());
  classify_inherited();
}

__attribute__((destructor)) void finish() {
  if (g_process && !in_vfork_child()) forget_all(ring::kExited);
}

}  // namespace

uint32_t own_pid() {
  const Process* p = process();
  return p ? p->pid.load(std::memory_order_relaxed) : 0;
}

bool in_vfork_child() {
  const uint32_t pid = own_pid();
  return pid && pid != static_cast<uint32_t>(sys::getpid());
}

uint32_t forks() { return g_forks.load(std::memory_order_relaxed); }

void about_to_fork() {
  if (is_ssh_host()) ssh_forks();
  g_forks.fetch_add(1, std::memory_order_relaxed);
  if (process() && recorder_running() && tracked_count() > 0) announce_fork();
}

void after_fork_in_child() {
  Process* p = g_process;
  if (!p || p->pid.load() != 0) return;
  p->pid.store(static_cast<uint32_t>(sys::getpid()));
  g_forked = true;
  ring::Header* ring = g_ring.load();
  if (!ring) return;
  if (!g_recorder_started) {  // the parent has only accepted: the child gets a ring of its own when it needs one
    g_ring.store(nullptr);
    drop_ring(ring);
    return;
  }
  give_up_lanes(ring, [ring](uint32_t lane) { return lane_control(ring, lane)->owner.load() != 0; });
  g_claimed = 0;
  p->ring.store(kReady);
  p->recorder.store(kReady);
}

static void make_ring_of(Process& p) {
  const sys::SignalsBlocked blocked;  // a handler that came in between would wait for the thread it has interrupted
  uint32_t none = kNone;
  if (!p.ring.compare_exchange_strong(none, kMaking)) return;
  const MadeRing made = make_ring(shape(), p.pid.load(), service());
  g_ring.store(made.header);
  if (made.has_recorder) {
    g_recorder_started = true;
    p.recorder.store(kReady, std::memory_order_release);
  }
  g_started_ns = sys::monotonic_ns();
  p.ring.store(made.header ? kReady : kFailed);
  if (!made.header) {
    complain("cannot make a ring in", g_settings.rings_dir.c_str(), made.error,
             "\"sidrec doctor\" of this process says more");
  }
}

[[gnu::noinline]] static ring::Header* first_ring_of(Process& p) {
  if (p.ring.load() == kNone && !sandboxed()) make_ring_of(p);
  // Another thread may be making it.
  const uint64_t deadline = sys::monotonic_ns() + uint64_t{g_settings.patience_ms} * 1'000'000;
  while (p.ring.load() == kMaking && sys::monotonic_ns() < deadline) sys::sleep_ns(20'000);
  return p.ring.load() == kReady ? g_ring.load() : nullptr;
}

ring::Header* ring_of_process() {
  Process* p = process();
  if (!p) return nullptr;
  if (__builtin_expect(p->ring.load(std::memory_order_acquire) == kReady, 1)) return g_ring.load();
  return first_ring_of(*p);
}

uint32_t claimed_lanes() { return process()->lanes.load(std::memory_order_relaxed); }

bool claim_lane(ring::Header* ring, uint32_t lane) {
  if (is_given_up(lane)) return false;
  uint32_t free = 0;
  Process* p = process();
  if (!lane_control(ring, lane)->owner.compare_exchange_strong(free, p->pid.load())) return false;
  p->lanes.fetch_or(1u << lane);
  g_claimed.fetch_or(1u << lane);
  return true;
}

namespace {

bool start_recorder() {
  char path[ring::kMaxPath + 64];
  ring_path(path);
  const char* const by_path[] = {g_settings.recorder.c_str(), path, nullptr};
  const char* const by_id[] = {g_settings.recorder.c_str(), ring::kAdoptRing, g_own_ring.id, nullptr};
  g_started_ns = sys::monotonic_ns();
  return spawn_recorder(is_recorders_stranger() ? by_id : by_path, g_settings.debug);
}

// By recorders, since the ring was made.
uint64_t given_back(ring::Header* ring) {
  uint64_t bytes = 0;
  for (uint32_t lane = 0; lane < g_own_ring.shape.lanes; ++lane) {
    if (!is_given_up(lane)) bytes += lane_control(ring, lane)->tail.load(std::memory_order_relaxed);
  }
  return bytes;
}

}  // namespace

void restart_recorder(ring::Header* ring) {
  uint32_t dead = ring->recorder.load(std::memory_order_relaxed);
  const uint64_t now = sys::monotonic_ns();
  if (now < g_restart_not_before_ns.load()) return;
  // Of one that died on its way here the kernel has said nothing.
  if (dead == 0 && now < g_started_ns.load() + kTimeToComeNs) return;
  if (has_recorder(ring) || !recorder_running() || sandboxed() || in_vfork_child()) return;
  if (!ring->recorder.compare_exchange_strong(dead, 0)) return;
  const uint64_t room = given_back(ring);
  if (room != g_given_back_before.exchange(room)) g_starts_in_vain = 0;
  const uint32_t in_vain = g_starts_in_vain.fetch_add(1);
  const uint32_t doublings = in_vain < kPatientStarts ? 0 : std::min(in_vain - kPatientStarts, kMostDoublings);
  g_restart_not_before_ns = now + (kRestartPauseNs << doublings);
  if (in_vain == kStartsToTellOf && !g_told_of_starts.exchange(true)) {
    complain("one recorder after the other ends as it starts:", g_settings.recorder.c_str(), 0,
             "\"sidrec doctor\" of this process says more");
  }
  start_recorder();
}

void ensure_recorder() {
  Process* p = process();
  if (!p || p->recorder.load(std::memory_order_acquire) != kNone || sandboxed()) return;
  ring::Header* ring = ring_of_process();
  uint32_t none = kNone;
  if (!ring || !p->recorder.compare_exchange_strong(none, kMaking)) return;
  const bool started = start_recorder();
  g_recorder_started = started;
  p->recorder.store(started ? kReady : kFailed, std::memory_order_release);
  if (!started) {
    complain("cannot start", g_settings.recorder.c_str(), 0, "\"sidrec doctor\" of this process says more");
  }
}

bool recorder_running() {
  Process* p = process();
  const uint32_t stage = p ? p->recorder.load(std::memory_order_relaxed) : kNone;
  return stage == kReady || stage == kMaking;
}

void before_rights_drop(bool for_good) {
  if (!process() || in_vfork_child()) return;
  // A server that gives root up before it listens ("pgbouncer -u"). A forked child that does so with nothing of a
  // client's is about to execute something else.
  const bool may_serve_yet = for_good && !g_forked && sys::call(SYS_geteuid) == 0;
  if (tracked_count() > 0 || may_serve_yet) ensure_recorder();
}
// What is compromised in there must not reach what others record, from now on either: it keeps one lane, its own. Where
// other threads may be claiming lanes at this very moment, it keeps them all.
void before_sandbox() {
  before_rights_drop();
  ring::Header* ring = g_ring.load();
  if (!ring || !recorder_running() || !__libc_single_threaded) return;
  for (uint32_t lane = 0; lane < g_own_ring.shape.lanes && claimed_lanes() == 0; ++lane) claim_lane(ring, lane);
  give_up_lanes(ring, [](uint32_t lane) { return !(claimed_lanes() >> lane & 1); });
}
void entered_sandbox() { g_sandboxed = true; }
bool sandboxed() { return g_sandboxed; }

}  // namespace sidrec
