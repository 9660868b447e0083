#include "shim/fd_table.h"

#include <sys/mman.h>

#include "shim/sys.h"

namespace sidrec {

constinit std::atomic<uint8_t> g_kinds[kMaxFd]{};

namespace {

constexpr uint32_t kChunk = 1024;  // entries made at once; a process pays for the ranges of descriptors it uses

constinit std::atomic<Entry*> g_chunks[kMaxFd / kChunk]{};
constinit std::atomic<int> g_bound{0};
constinit std::atomic<int> g_count{0};

[[gnu::noinline]] Entry* make_chunk(std::atomic<Entry*>& slot) {
  const size_t bytes = kChunk * sizeof(Entry);
  const long at =
      sys::call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at < 0 && at > -4096) return nullptr;
  auto* chunk = reinterpret_cast<Entry*>(at);
  Entry* expected = nullptr;
  if (slot.compare_exchange_strong(expected, chunk)) return chunk;
  sys::call(SYS_munmap, at, static_cast<long>(bytes));
  return expected;
}

}  // namespace

Entry* entry_for(int fd) {
  if (static_cast<uint32_t>(fd) >= kMaxFd) return nullptr;
  auto& slot = g_chunks[static_cast<uint32_t>(fd) / kChunk];
  Entry* chunk = slot.load(std::memory_order_acquire);
  if (!chunk) chunk = make_chunk(slot);
  return chunk ? chunk + static_cast<uint32_t>(fd) % kChunk : nullptr;
}

void set_kind(int fd, FdKind kind) {
  const auto before = g_kinds[fd].exchange(kind, std::memory_order_acq_rel);
  g_count.fetch_add((kind != kUntracked) - (before != kUntracked), std::memory_order_relaxed);
  int bound = g_bound.load(std::memory_order_relaxed);
  while (kind != kUntracked && bound <= fd && !g_bound.compare_exchange_weak(bound, fd + 1)) {
  }
}

void copy_entry(Entry& to, const Entry& from) {
  to.subject = from.subject;
  to.conn = from.conn;
  to.chan_kind = from.chan_kind;
  to.counted = from.counted;
  to.dirs[0] = from.dirs[0];
  to.dirs[1] = from.dirs[1];
  to.tty = from.tty;
  to.user_pid.store(from.user_pid.load());
  to.opened.store(from.opened.load());
  to.via = from.via;
  to.family = from.family;
  to.shared = from.shared;
  to.client_port = from.client_port;
  to.server_port = from.server_port;
  __builtin_memcpy(to.client_addr, from.client_addr, sizeof to.client_addr);
  __builtin_memcpy(to.server_addr, from.server_addr, sizeof to.server_addr);
  to.birth_pid = from.birth_pid;
  to.birth_forks = from.birth_forks;
  to.read_eof.store(from.read_eof.load());
  to.write_shut.store(from.write_shut.load());
  to.cut.store(from.cut.load());
  for (int dir = 0; dir < 3; ++dir) {
    to.lost_bytes[dir].store(0);
    to.lost_records[dir].store(0);
  }
}

int tracked_bound() { return g_bound.load(std::memory_order_relaxed); }
int tracked_count() { return g_count.load(std::memory_order_relaxed); }

}  // namespace sidrec
