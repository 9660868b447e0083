// Raw system calls for the shim's own needs. They bypass our hooks, leave errno alone (a failure is a negative
// return value), and are async-signal-safe.
#pragma once

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>

#include <cstdint>
#include <ctime>

#ifndef __x86_64__
#error "the shim's system call stub is written for x86_64"
#endif

namespace sidrec::sys {

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

template <typename T>
long arg(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

inline int getpid() { return static_cast<int>(call(SYS_getpid)); }
inline int gettid() { return static_cast<int>(call(SYS_gettid)); }

inline void futex_wake(const void* word, int count) { call(SYS_futex, arg(word), FUTEX_WAKE, count); }

// Until `word` is woken or no longer holds `expected`, at most timeout_ns.
inline void futex_wait(const void* word, uint32_t expected, uint64_t timeout_ns) {
  const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                         static_cast<long>(timeout_ns % 1'000'000'000)};
  call(SYS_futex, arg(word), FUTEX_WAIT, expected, arg(&timeout));
}

inline void sleep_ns(long ns) {
  const timespec pause{0, ns};
  call(SYS_nanosleep, arg(&pause));
}

// Blocks every signal of this thread, for what must not be interrupted by a handler. Raw: glibc keeps two for itself.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    const uint64_t all = ~uint64_t{0};
    call(SYS_rt_sigprocmask, SIG_SETMASK, arg(&all), arg(&before_), sizeof all);
  }
  ~SignalsBlocked() { call(SYS_rt_sigprocmask, SIG_SETMASK, arg(&before_), 0, sizeof before_); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  uint64_t before_ = 0;
};

inline uint64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);  // vdso: no system call
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace sidrec::sys
