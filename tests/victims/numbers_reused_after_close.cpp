// A client's descriptor number is closed by close and given to something else: nothing of that is recorded.
#include <sys/mman.h>

#include "tests/victims/loopback.h"

using namespace victim;

// Closes c, lets `make` create a descriptor, which must get c's number, and writes to it.
template <typename Make>
static void reuse(const Loopback& loopback, const char* what, Make make) {
  Connection& c = loopback.connect();
  exchange(c, what);
  const int number = c.fd;
  close_host_end(c);
  const int made = make();
  if (made != number) failed("%s: got number %d, not %d", what, made, number);
  if (::write(made, "not a client's", 14) != 14) failed("%s: write: errno %d", what, errno);
  ::close(made);
}

int main() {
  const Loopback loopback;
  const Loopback upstream;
  int ends[2] = {-1, -1};
  // Both ends of a pipe are open in turn, so that the lower number is once the end that is written to.
  reuse(loopback, "socketpair", [&] { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 ? ends[0] : -1; });
  ::close(ends[1]);
  const auto written_end_first = [&](int made) {
    if (made != 0) return -1;
    const int number = ends[0];
    const int reader = ::dup(ends[0]);
    expect("dup2", number, [&] { return ::dup2(ends[1], number); });
    ::close(ends[1]);
    ends[1] = reader;
    return number;
  };
  reuse(loopback, "pipe", [&] { return written_end_first(::pipe(ends)); });
  ::close(ends[1]);
  reuse(loopback, "pipe2", [&] { return written_end_first(::pipe2(ends, O_NONBLOCK)); });
  ::close(ends[1]);
  reuse(loopback, "connect", [&] { return upstream.dial().fd; });
  reuse(loopback, "open", [] { return ::open("/dev/null", O_WRONLY); });
  reuse(loopback, "memfd_create", [] { return ::memfd_create("file", 0); });
  reuse(loopback, "dup", [] {
    const int null = ::open("/dev/null", O_WRONLY);
    const int higher = ::dup(null);
    ::close(null);
    const int lower = ::dup(higher);
    ::close(higher);
    return lower;
  });
  Connection& next = loopback.connect();
  exchange(next, "accepted with a number used before");
  close_host_end(next);
  return finish();
}
