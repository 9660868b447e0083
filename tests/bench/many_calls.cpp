// A host of many connections, threads or processes, whose calls are made on demand. Its clients are one forked process,
// which conducts: it fills some connections, lets the workers read what is there, call by call, and is not what is
// measured. Says "ready" and the processes' ids, then hears on its standard input what is to be done:
//   ROUNDS BURST TOGETHER PAUSE_US   in each round every connection brings BURST blocks of 64 bytes, for as many reads,
//                                    TOGETHER of each worker's connections at once; with a pause, one worker after the
//                                    other does so, and the pause is between two of them
// and answers "done". It ends at the end of its input.
// usage: many_calls CONNECTIONS ADDRESSES THREADS PROCESSES    as many each; more than one process: forked children
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "tests/bench/loopback_listener.h"

namespace {

constexpr int kBlockBytes = 64;
constexpr int kMostWorkers = 1024;

struct Shared {
  sem_t go[kMostWorkers];
  sem_t done;
  pid_t pids[kMostWorkers];
  int first, together;  // which of its connections a worker reads
  int burst;            // 0: the end
};

struct Shape {
  int connections, addresses, threads, processes;

  int workers() const { return threads * processes; }
  int share() const { return connections / workers(); }
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(1);
}

void wait_for(sem_t& semaphore) {
  while (sem_wait(&semaphore)) {
  }
}

// A thread of the host: accepts its share of the connections, and reads a burst from some whenever it is told to.
void work(Shared& shared, const Shape& shape, int listener, int worker) {
  std::vector<int> mine(static_cast<size_t>(shape.share()));
  wait_for(shared.go[worker]);
  for (int& connection : mine) require((connection = accept(listener, nullptr, nullptr)) >= 0, "accept");
  shared.pids[worker] = getpid();
  for (;;) {
    sem_post(&shared.done);
    wait_for(shared.go[worker]);
    if (shared.burst == 0) return;
    for (int i = 0; i < shared.burst; ++i) {
      for (int c = shared.first; c < shared.first + shared.together; ++c) {
        char block[kBlockBytes];
        require(read(mine[static_cast<size_t>(c)], block, sizeof block) == sizeof block, "read");
      }
    }
  }
}

void serve(Shared& shared, const Shape& shape, int listener, int process) {
  std::vector<std::thread> threads;
  for (int i = 1; i < shape.threads; ++i) {
    threads.emplace_back(work, std::ref(shared), std::cref(shape), listener, process * shape.threads + i);
  }
  work(shared, shape, listener, process * shape.threads);
  for (std::thread& thread : threads) thread.join();
}

// Like fork(2), but the child does not outlive its parent.
bool in_new_child() {
  if (fork() != 0) return false;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return true;
}

int connected(const sockaddr_in& server, const Shape& shape, int number) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  if (shape.addresses > 1) {
    const auto which = static_cast<unsigned>(number % shape.addresses);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + ((1 + which / 250) << 8) + which % 250);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    require(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0, "bind");
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  require(connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0, "connect");
  return fd;
}

class Conductor {
 public:
  Conductor(Shared& shared, const Shape& shape) : shared_(shared), shape_(shape) {}

  void connect(const sockaddr_in& server) {
    for (int worker = 0; worker < shape_.workers(); ++worker) {
      sem_post(&shared_.go[worker]);
      for (int i = 0; i < shape_.share(); ++i) {
        clients_.push_back(connected(server, shape_, static_cast<int>(clients_.size())));
      }
      wait_for(shared_.done);
    }
    std::printf("ready");
    for (int process = 0; process < shape_.processes; ++process)
      std::printf(" %d", shared_.pids[process * shape_.threads]);
    say("");
  }

  void conduct() {
    int rounds = 0, pause_us = 0;
    while (std::scanf("%d %d %d %d", &rounds, &shared_.burst, &shared_.together, &pause_us) == 4) {
      const std::vector<char> burst(static_cast<size_t>(shared_.burst * kBlockBytes), 'x');
      const int workers = pause_us ? 1 : shape_.workers();
      for (int round = 0; round < rounds; ++round) {
        for (int worker = 0; worker < shape_.workers(); worker += workers) {
          for (int first = 0; first < shape_.share(); first += shared_.together) play(worker, workers, first, burst);
          if (pause_us) usleep(static_cast<useconds_t>(pause_us));
        }
      }
      say("done");
    }
    shared_.burst = 0;
    for (int worker = 0; worker < shape_.workers(); ++worker) sem_post(&shared_.go[worker]);
  }

 private:
  void play(int worker, int workers, int first, const std::vector<char>& burst) {
    shared_.first = first;
    for (int w = worker; w < worker + workers; ++w) {
      for (int c = 0; c < shared_.together; ++c) {
        const int client = clients_[static_cast<size_t>(w * shape_.share() + first + c)];
        require(write(client, burst.data(), burst.size()) == static_cast<ssize_t>(burst.size()), "write");
      }
    }
    for (int w = worker; w < worker + workers; ++w) sem_post(&shared_.go[w]);
    for (int w = 0; w < workers; ++w) wait_for(shared_.done);
  }

  static void say(const char* text) {
    std::puts(text);
    std::fflush(stdout);
  }

  Shared& shared_;
  const Shape& shape_;
  std::vector<int> clients_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto given = [&](int i) { return argc > i ? std::atoi(argv[i]) : 1; };
  const Shape shape{given(1), given(2), given(3), given(4)};
  if (shape.workers() > kMostWorkers || shape.share() < 1) return 2;
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "mmap");
  auto& shared = *new (memory) Shared{};
  sem_init(&shared.done, 1, 0);
  for (sem_t& go : shared.go) sem_init(&go, 1, 0);

  sockaddr_in at;
  const int listener = listen_on_loopback(at, SOMAXCONN);

  if (in_new_child()) {
    close(listener);
    Conductor conductor(shared, shape);
    conductor.connect(at);
    conductor.conduct();
    return 0;
  }
  if (shape.processes == 1) {
    serve(shared, shape, listener, 0);
  } else {
    for (int process = 0; process < shape.processes; ++process) {
      if (in_new_child()) {
        serve(shared, shape, listener, process);
        std::exit(0);
      }
    }
  }
  int status = 0;
  while (wait(&status) > 0) {
    if (status) return 1;
  }
}
