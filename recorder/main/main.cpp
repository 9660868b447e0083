// sidrec-recorder <ring file>: records for one hooked process. The shim starts it, with every signal blocked, no
// descriptor open and an environment of at most SIDREC_DEBUG; nobody else has a reason to.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "recorder/main/recorder.h"

namespace sidrec {
namespace {

enum ExitCode : int { kDone = 0, kUsage = 2, kNoRing = 3, kTaken = 4, kCannotRun = 5 };

// Descriptors 0 to 2 exist and lead nowhere, whatever anybody writes there.
void settle_descriptors() {
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) {
    if (fd != null) ::dup2(null, fd);
  }
  if (null > 2) ::close(null);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;  // one descriptor for each slave, three for each SID
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// A recorder that falls behind makes its host wait, and past its patience that is a gap: among a host's many threads it
// must not be the last in line. Where the rights are missing (setpriority(2)) it stays in line.
void settle_priority() {
  constexpr int kNice = -10;
  (void)::setpriority(PRIO_PROCESS, 0, kNice);
}

// The signals that ask for an end come by descriptor, all others as they do in a fresh process. Before any thread.
UniqueFd settle_signals() {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD}) {
    ::signal(signal, SIG_DFL);
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // then a file size limit is an error (setrlimit(2))
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  sigprocmask(SIG_SETMASK, &ends, nullptr);
  return UniqueFd(::signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

int record(const RingFile& ring, int signal_fd, Log& log) {
  const RingFacts& facts = ring.facts();
  const LoadedSettings loaded = load_settings(facts.config);
  for (const std::string& complaint : loaded.complaints) log.warn(complaint);
  auto poller = Poller::make();
  if (!poller) {
    log.error(poller.error().message);
    return kCannotRun;
  }
  const MasterIdentity self{facts.ring_id, host_name(), "sidrec-recorder", static_cast<uint32_t>(::getpid())};
  Surroundings around{facts, loaded.settings, log, *poller, self};
  log.debug("recording for " + facts.program + ", process " + std::to_string(facts.host_pid));
  Recorder recorder(ring, around);
  if (auto ran = recorder.run(signal_fd); !ran) {
    log.error(ran.error().message);
    return kCannotRun;
  }
  log.debug("done");
  return kDone;
}

int run(int argc, char** argv) {
  settle_descriptors();
  settle_priority();
  const UniqueFd signal_fd = settle_signals();
  ::umask(027);
  if (argc != 2 || !signal_fd) return kUsage;
  auto ring = RingFile::open(argv[1]);
  if (::chdir("/") != 0) return kCannotRun;
  // Without a ring there is no run directory, and nobody to tell but by the exit code.
  if (!ring) return ring.error().code == EAGAIN ? kTaken : kNoRing;
  const char* debug = std::getenv("SIDREC_DEBUG");
  Log log(ring->facts().run_dir + "/recorder-" + ring->facts().ring_id + ".log", debug != nullptr && *debug == '1');
  return record(*ring, signal_fd.get(), log);
}

}  // namespace
}  // namespace sidrec

int main(int argc, char** argv) { return sidrec::run(argc, argv); }
