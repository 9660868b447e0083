#include "recorder/main/watcher.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

namespace sidrec {
namespace {

constexpr size_t kStackBytes = 64 * 1024;

void notify(int fd) {
  const uint64_t one = 1;
  (void)!::write(fd, &one, sizeof one);
}

}  // namespace

Result<void> Watcher::start_thread(pthread_t& thread, void* (*run)(void*)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  const int error = pthread_create(&thread, &attributes, run, this);
  pthread_attr_destroy(&attributes);
  if (error != 0) return errno_error("cannot start a thread", error);
  return {};
}

Result<void> Watcher::start() {
  wake_fd_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  death_fd_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_fd_ || !death_fd_) return errno_error("cannot make an eventfd");
  // Before the recorder can announce a sleep: a wake that comes while the thread is still starting is not missed.
  seen_wake_ = ring_.wake().load(std::memory_order_seq_cst);
  if (auto started = start_thread(wake_thread_, watch_wake); !started) return started;
  waking_ = true;
  if (auto started = start_thread(death_thread_, await_death); !started) return started;
  awaiting_ = true;
  return {};
}

Watcher::~Watcher() {
  if (awaiting_) pthread_join(death_thread_, nullptr);
  if (!waking_) return;
  stopping_ = true;
  ring_.wake().fetch_add(1, std::memory_order_seq_cst);
  ::syscall(SYS_futex, static_cast<void*>(&ring_.wake()), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  pthread_join(wake_thread_, nullptr);
}

bool Watcher::nap(uint32_t announced, int ms) const {
  const timespec most{ms / 1000, ms % 1000 * 1'000'000L};
  ::syscall(SYS_futex, static_cast<void*>(&ring_.sleep()), FUTEX_WAIT, announced, &most, nullptr, 0);
  return ring_.sleep().exchange(ring::kAwake, std::memory_order_seq_cst) != announced;
}

void Watcher::clear_wake() const {
  uint64_t count = 0;
  (void)!::read(wake_fd_.get(), &count, sizeof count);
}

void* Watcher::watch_wake(void* self) {
  auto& watcher = *static_cast<Watcher*>(self);
  auto& wake = watcher.ring_.wake();
  for (uint32_t seen = watcher.seen_wake_; !watcher.stopping_;) {
    // Shared between processes, so not FUTEX_PRIVATE_FLAG.
    ::syscall(SYS_futex, static_cast<void*>(&wake), FUTEX_WAIT, seen, nullptr, nullptr, 0);
    const uint32_t now = wake.load(std::memory_order_seq_cst);
    if (now != seen) notify(watcher.wake_fd_.get());
    seen = now;
  }
  return nullptr;
}

void* Watcher::await_death(void* self) {
  auto& watcher = *static_cast<Watcher*>(self);
  watcher.ring_.await_death();
  notify(watcher.death_fd_.get());
  return nullptr;
}

}  // namespace sidrec
