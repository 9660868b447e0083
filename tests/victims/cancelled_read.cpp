// A thread is cancelled inside each blocking read: its cleanup handler runs, it ends as PTHREAD_CANCELED, and the
// connection goes on in another thread.
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/victims/loopback.h"
#include "tests/victims/process_view.h"

using namespace victim;

struct Reader {
  int fd;
  int call;
  std::atomic<int> tid{0};
  std::atomic<bool> cleaned{false};
};

static void* block_in_read(void* argument) {
  auto* reader = static_cast<Reader*>(argument);
  char buffer[32];
  iovec part{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  mmsghdr several{};
  several.msg_hdr = message;
  pthread_cleanup_push([](void* cleaned) { static_cast<std::atomic<bool>*>(cleaned)->store(true); }, &reader->cleaned);
  reader->tid = static_cast<int>(::syscall(SYS_gettid));
  ssize_t result = -1;
  switch (reader->call) {
    case 0: result = ::read(reader->fd, buffer, sizeof buffer); break;
    case 1: result = ::recv(reader->fd, buffer, sizeof buffer, 0); break;
    case 2: result = ::readv(reader->fd, &part, 1); break;
    case 3: result = ::recvfrom(reader->fd, buffer, sizeof buffer, 0, nullptr, nullptr); break;
    case 4: result = ::recvmsg(reader->fd, &message, 0); break;
    case 5: result = ::recvmmsg(reader->fd, &several, 1, 0, nullptr); break;
    case 6: result = ::accept(reader->fd, nullptr, nullptr); break;
    case 7: result = ::accept4(reader->fd, nullptr, nullptr, 0); break;
  }
  failed("call %d returned %zd and was not cancelled", reader->call, result);
  pthread_cleanup_pop(0);
  return nullptr;
}

static bool sleeps(int tid) {
  int parent = 0;
  return tid != 0 && state_of("self/task/" + std::to_string(tid), &parent) == 'S';
}

int main() {
  const Loopback loopback;
  const timeval none{};
  ::setsockopt(loopback.fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  Connection& c = loopback.connect();
  for (int call = 0; call < 8; ++call) {
    if (call == 1) exchange(c, "the first thread was cancelled in the connection's first read");
    Reader reader{call < 6 ? c.fd : loopback.fd, call};
    pthread_t thread;
    expect("pthread_create", 0, [&] { return pthread_create(&thread, nullptr, block_in_read, &reader); });
    check("the thread blocks", await([&] { return sleeps(reader.tid); }));
    expect("pthread_cancel", 0, [&] { return pthread_cancel(thread); });
    void* result = nullptr;
    expect("pthread_join", 0, [&] { return pthread_join(thread, &result); });
    check("the thread ends as cancelled", result == PTHREAD_CANCELED);
    check("its cleanup handler ran", reader.cleaned);
    exchange(c, "after a cancelled thread");
  }
  close_host_end(c);
  return finish();
}
