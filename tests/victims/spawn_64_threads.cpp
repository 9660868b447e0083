// 64 threads meet their first client bytes at once, while the main thread asks for children without pause.
#include <barrier>
#include <thread>

#include "tests/victims/unnoticed.h"

using namespace victim;

static constexpr unsigned kThreads = 64;

int main() {
  count_child_signals();
  const Loopback loopback;
  std::vector<Connection*> served;
  for (unsigned i = 0; i < kThreads; ++i) served.push_back(&loopback.connect());
  std::barrier start(kThreads + 1), looked(kThreads + 1);
  std::atomic<unsigned> done{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::string blocked = blocked_signals();
      start.arrive_and_wait();
      exchange(*served[i], "by thread " + std::to_string(i));
      check("the thread's signal mask is the same", blocked_signals() == blocked);
      done.fetch_add(1);
      looked.arrive_and_wait();
    });
  }
  const View before;
  start.arrive_and_wait();
  std::string found = "ECHILD";
  while (done < kThreads && found == "ECHILD") {
    found = waited(0);
    std::this_thread::yield();
  }
  check("waitpid(-1) finds no child meanwhile", found == "ECHILD");
  check("all threads are served", await([&] { return done == kThreads; }));
  expect_unnoticed(before);
  looked.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  for (Connection* c : served) close_host_end(*c);
  return finish();
}
