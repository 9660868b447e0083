// sidrec-recorder <ring file>: records for one hooked process. The shim starts it, with every signal blocked, no
// descriptor open and an environment of at most SIDREC_DEBUG; nobody else has a reason to. Installed, it may be started
// by anybody of its group with anything: account.h says what of it counts.
// sidrec-recorder --make-ring <lanes> <lane bytes>: the same for a host that may not make its ring (made_ring.h).
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "recorder/main/account.h"
#include "recorder/main/made_ring.h"
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

// A file size limit that a caller brought would silence every session this recorder may become master of.
Result<void> check_limits() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    return Error{"started with a file size limit: not recording", EFBIG};
  }
  return {};
}

bool wants_debug() {
  const char* debug = std::getenv("SIDREC_DEBUG");
  return debug != nullptr && *debug == '1';
}

int record(const RingFile& ring, const Account& account, int signal_fd, Log& log) {
  const RingFacts& facts = ring.facts();
  const LoadedSettings loaded = load_settings(facts.config);
  for (const std::string& complaint : loaded.complaints) log.warn(complaint);
  auto poller = Poller::make();
  if (!poller) {
    log.error(poller.error().message);
    return kCannotRun;
  }
  const MasterIdentity self{facts.ring_id, host_name(),           "sidrec-recorder", static_cast<uint32_t>(::getpid()),
                            ::geteuid(),   account.is_installed()};
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

int record_ring(const std::string& path, const Account& account, int signal_fd) {
  account.become_caller();
  auto ring = RingFile::open(path);
  // From here on it is our user's, who may adopt it when we have died.
  if (ring && account.is_installed()) (void)::fchown(ring->fd(), account.user(), account.group());
  if (auto settled = account.settle(); !settled) return kCannotRun;
  // Without a ring there is no run directory, and nobody to tell but by the exit code.
  if (!ring) return ring.error().code == EAGAIN ? kTaken : kNoRing;
  Log log(ring->facts().run_dir + "/recorder-" + ring->facts().ring_id + ".log", wants_debug());
  return record(*ring, account, signal_fd, log);
}

// For a host whose word does not count; `socket` leads to it.
int record_stranger(UniqueFd socket, char** shape, const Account& account, int signal_fd) {
  if (!account.is_installed()) return kUsage;
  if (auto settled = account.settle(); !settled) return kCannotRun;
  const auto config = installed_settings_path(account.folder());
  const Settings settings = config ? load_settings(*config).settings : Settings{};
  const auto log_name = [&settings](const std::string& id) { return settings.run_dir + "/recorder-" + id + ".log"; };
  const auto give_up = [&log_name](const Error& error) {
    Log(log_name(std::to_string(::getpid())), false).error(error.message);
    return kNoRing;
  };
  if (!config) return give_up(config.error());
  if (auto sound = check_limits(); !sound) return give_up(sound.error());
  const auto made = make_ring_for_host(socket.get(), settings.run_dir, shape[0], shape[1]);
  if (!made) return give_up(made.error());
  socket.reset();
  auto ring = RingFile::open(made->path);
  if (!ring) return give_up(ring.error());
  ring->correct([&](RingFacts& facts) {
    facts.ring_id = made->ring_id;
    facts.host_pid = static_cast<uint32_t>(made->host);
    facts.audit_dir = settings.audit_dir;
    facts.run_dir = settings.run_dir;
    facts.config = *config;
  });
  Log log(log_name(made->ring_id), false);
  return record(*ring, account, signal_fd, log);
}

int run(int argc, char** argv) {
  const bool makes_ring = argc == 4 && std::strcmp(argv[1], ring::kMakeRing) == 0;
  UniqueFd socket(makes_ring ? ::fcntl(0, F_DUPFD_CLOEXEC, 3) : -1);
  settle_descriptors();
  const auto account = Account::find();
  if (account) account->become_caller();
  settle_priority();
  const UniqueFd signal_fd = settle_signals();
  ::umask(027);
  if (!account || !signal_fd || ::chdir("/") != 0) return kCannotRun;
  if (makes_ring) return record_stranger(std::move(socket), argv + 2, *account, signal_fd.get());
  if (argc != 2 || argv[1][0] != '/' || !account->believes_caller()) return kUsage;
  return record_ring(argv[1], *account, signal_fd.get());
}

}  // namespace
}  // namespace sidrec

int main(int argc, char** argv) { return sidrec::run(argc, argv); }
