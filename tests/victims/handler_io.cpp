// A signal handler reads and writes a client connection, a thousand times a second, while the main program is in a
// tight loop of reads and writes on another one.
#include <sys/time.h>

#include <csignal>

#include "tests/victims/loopback.h"

using namespace victim;

static constexpr int kTicks = 400;
static constexpr size_t kTickBytes = 8;
static int handled_fd = -1;
static char handled_in[kTicks * kTickBytes];
static char handled_out[kTicks * kTickBytes];
static volatile sig_atomic_t ticks = 0;
static volatile sig_atomic_t handler_failures = 0;

static void on_alarm(int) {
  const int error = errno;
  const int tick = ticks;
  if (tick >= kTicks) return;
  char* const in = handled_in + static_cast<size_t>(tick) * kTickBytes;
  char* const out = handled_out + static_cast<size_t>(tick) * kTickBytes;
  for (size_t i = 0; i < kTickBytes; ++i) out[i] = static_cast<char>('a' + (tick + static_cast<int>(i)) % 26);
  const bool passed =
      ::read(handled_fd, in, kTickBytes) == kTickBytes && ::write(handled_fd, out, kTickBytes) == kTickBytes;
  if (!passed) handler_failures = handler_failures + 1;
  ticks = tick + 1;
  errno = error;
}

int main() {
  const Loopback loopback;
  Connection& main_one = loopback.connect();
  Connection& handled = loopback.connect();
  const std::string questions = pattern(sizeof handled_in, 11);
  handled.client_sends(questions);
  handled_fd = handled.fd;

  struct sigaction action {};
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval every_millisecond{{0, 1'000}, {0, 1'000}};
  ::setitimer(ITIMER_REAL, &every_millisecond, nullptr);
  char buffer[64];
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (unsigned turn = 0; turn < 20'000; ++turn) {
    const std::string bytes = pattern(turn % 60 + 1, turn);
    send_all(main_one.client, bytes);
    main_one.takes("read in the loop", bytes, buffer, [&] { return ::read(main_one.fd, buffer, sizeof buffer); });
    main_one.gives("write in the loop", bytes, [&] { return ::write(main_one.fd, bytes.data(), bytes.size()); });
  }
  while (ticks < kTicks && std::chrono::steady_clock::now() < deadline) ::poll(nullptr, 0, 1);
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);

  check("every tick came", ticks == kTicks);
  check("the handler's calls succeeded", handler_failures == 0);
  handled.consumed(std::string_view(handled_in, sizeof handled_in));
  handled.produced(std::string_view(handled_out, sizeof handled_out));
  check("the handler read the client's bytes", handled.in == questions);
  check("the client received the handler's", handled.client_receives(sizeof handled_out) == handled.out);
  close_host_end(main_one);
  close_host_end(handled);
  return finish();
}
