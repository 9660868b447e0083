// Watcher: the two things a recorder must wait for that no descriptor tells: the host's wake (futex(2)) and the death
// of the ring (a blocking flock(2)). A thread each, with a small stack, that turns them into an eventfd(2).
//
// Both threads touch nothing but the ring's wake word, its lock and their eventfd. The ring outlives the watcher, and
// the watcher may only end once the ring is dead: nothing else brings the second thread back.
#pragma once

#include <pthread.h>

#include <atomic>

#include "recorder/base/result.h"
#include "recorder/base/unique_fd.h"
#include "recorder/ring/ring_file.h"

namespace sidrec {

class Watcher {
 public:
  explicit Watcher(const RingFile& ring) : ring_(ring) {}
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher();

  // Until then only nap() waits, and who wants to know of the ring's death asks it.
  Result<void> start();
  bool is_running() const { return awaiting_; }

  // Readable when the host has woken us; clear_wake() makes it unreadable again.
  int wake_fd() const { return wake_fd_.get(); }
  void clear_wake() const;
  // Sleeps in the ring's word, where the host wakes us without the thread's help: until it does, or so long; meanwhile
  // nothing else is heard. `announced`: what the word says of our sleep, kNap in it; it says kAwake afterwards. Whether
  // we were woken.
  bool nap(uint32_t announced, int ms) const;
  // Readable from the ring's death on.
  int death_fd() const { return death_fd_.get(); }

 private:
  Result<void> start_thread(pthread_t& thread, void* (*run)(void*));
  static void* watch_wake(void* self);
  static void* await_death(void* self);

  const RingFile& ring_;
  UniqueFd wake_fd_;
  UniqueFd death_fd_;
  uint32_t seen_wake_ = 0;  // the wake thread's, once it runs
  std::atomic<bool> stopping_ = false;
  bool waking_ = false, awaiting_ = false;
  pthread_t wake_thread_{}, death_thread_{};
};

}  // namespace sidrec
