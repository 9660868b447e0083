// sidrec-recorder <ring file>: records for one hooked process. The shim starts it, with every signal blocked, no
// descriptor open and an environment of at most SIDREC_DEBUG; nobody else has a reason to. Installed, it may be started
// by anybody of its group with anything: account.h says what of it counts.
// sidrec-recorder --make-ring <lanes> <lane bytes>: the same for a host that may not make its ring (made_ring.h).
// sidrec-recorder --adopt-ring <ring id>: that host's ring again, where the recorder has died.
// sidrec-recorder --status <run directory>: for `sidrec status` (status.h).
// sidrec-recorder --recover <run directory> <audit directory> [<settings>]: for `sidrec recover` (recovery.h).
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recorder/main/account.h"
#include "recorder/main/made_ring.h"
#include "recorder/main/orphans.h"
#include "recorder/main/recorder.h"
#include "recorder/main/recovery.h"
#include "recorder/main/spare.h"
#include "recorder/main/status.h"
#include "recorder/ring/death_notice.h"

namespace sidrec {
namespace {

constexpr std::string_view kRecover = "--recover", kStatus = "--status";

enum ExitCode : int { kDone = 0, kNotAll = 1, kUsage = 2, kNoRing = 3, kTaken = 4, kCannotRun = 5 };

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
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM}) {
    ::signal(signal, SIG_DFL);
  }
  ::signal(SIGCHLD, SIG_IGN);  // a successor that was started leaves nothing to wait for (wait(2))
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

// Of a recording: how it ended, and whom this recorder may wait for now, and how long.
struct Outcome {
  ExitCode code;
  std::optional<HostsToCome> hosts{};
  uint32_t spare_ms = 0;
};

std::optional<HostsToCome> hosts_after(const RingFile& ring, const Account& account) {
  const auto user = account.user_of_hosts();
  if (!user || ring.facts().service == 0) return std::nullopt;
  return HostsToCome{ring.facts().service, *user, account.believes_caller()};
}

Outcome record(const RingFile& ring, const Account& account, int signal_fd, Log& log) {
  const DeathNotice notice(ring.recorder());
  const RingFacts& facts = ring.facts();
  const LoadedSettings loaded = load_settings(facts.config);
  for (const std::string& complaint : loaded.complaints) log.warn(complaint);
  auto poller = Poller::make();
  if (!poller) {
    log.error(poller.error().message);
    return {kCannotRun};
  }
  const MasterIdentity self{facts.ring_id, host_name(),           "sidrec-recorder", static_cast<uint32_t>(::getpid()),
                            ::geteuid(),   account.is_installed()};
  auto journal = Journal::open(ring.path(), facts);
  if (!journal) log.error(journal.error().message + "; if this recorder dies, the next knows less");
  Journal none;
  Sealing sealing(loaded.settings, log);
  const bool only_ends = journal && journal->is_continued() && ring.is_dead();
  Surroundings around{facts,   ring.fd(), loaded.settings, log, *poller, self, journal ? *journal : none,
                      sealing, only_ends};
  log.debug("recording for " + facts.program + ", process " + std::to_string(facts.host_pid));
  Recorder recorder(ring, around);
  recorder.restore();
  if (auto ran = recorder.run(signal_fd); !ran) {
    log.error(ran.error().message);
    return {kCannotRun};
  }
  log.debug("done");
  if (recorder.was_told_to_end()) return {kDone};
  return {kDone, hosts_after(ring, account), loaded.settings.spare_ms};
}

std::string log_path(const std::string& run_dir, const std::string& id) { return run_dir + "/recorder-" + id + ".log"; }

// Of a ring whose header's word does not count: the installation's own directories and settings.
Result<std::function<void(RingFacts&)>> installations_own(const Account& account) {
  const auto config = installed_settings_path(account.folder());
  if (!config) return config.error();
  return std::function([config = *config, settings = load_settings(*config).settings](RingFacts& facts) {
    facts.audit_dir = settings.audit_dir;
    facts.run_dir = settings.run_dir;
    facts.config = config;
  });
}

// The threads of a killed recorder do not end at once: the host may see its death while one of them still holds the
// lock.
Result<RingFile> open_ring(const std::string& path, const std::optional<RingFacts>& known) {
  constexpr int kTries = 50;
  for (int tries = 0;; ++tries) {
    auto ring = RingFile::open(path, known);
    if (ring || ring.error().code != EAGAIN || tries == kTries) return ring;
    ::usleep(2000);
  }
}

Outcome record_ring(const std::string& path, const Account& account, int signal_fd) {
  account.become_caller();
  const auto known = Journal::facts_beside(path);
  auto ring = open_ring(path, known);
  // From here on it is our user's: other recorders look at it, and adopt it when we have died.
  const bool given = !ring || account.takes(ring->fd());
  if (auto settled = account.settle(); !settled) return {kCannotRun};
  // Without a ring there is no run directory, and nobody to tell but by the exit code.
  if (!ring) return {ring.error().code == EAGAIN ? kTaken : kNoRing};
  if (!known && account.is_installed() && !account.is_started_by_root()) {
    const auto correct = installations_own(account);
    if (!correct) return {kNoRing};
    ring->correct(*correct);
  }
  Log log(log_path(ring->facts().run_dir, ring->facts().ring_id), wants_debug());
  if (!given) {
    log.warn("recorded as a session of its own: the ring cannot be given to our user; let the service keep CAP_CHOWN");
  }
  Outcome outcome = record(*ring, account, signal_fd, log);
  if (!given) outcome.hosts.reset();  // they could not give us theirs
  return outcome;
}

// The installation's run directory, for a host whose word does not count.
Result<std::string> installed_run_dir(const Account& account) {
  const auto config = installed_settings_path(account.folder());
  if (!config) return config.error();
  return load_settings(*config).settings.run_dir;
}

// For that host; `socket` leads to it.
Outcome record_stranger(UniqueFd socket, const std::string& shape, const Account& account, int signal_fd) {
  if (!account.is_installed()) return {kUsage};
  if (auto settled = account.settle(); !settled) return {kCannotRun};
  const auto run_dir = installed_run_dir(account);
  const auto give_up = [&run_dir](const Error& error) {
    Log(log_path(run_dir ? *run_dir : Settings{}.run_dir, std::to_string(::getpid())), false).error(error.message);
    return Outcome{kNoRing};
  };
  if (!run_dir) return give_up(run_dir.error());
  if (auto sound = check_limits(); !sound) return give_up(sound.error());
  const auto made = make_ring_for_host(socket.get(), *run_dir, shape);
  if (!made) return give_up(made.error());
  socket.reset();
  auto ring = RingFile::open(made->path);
  const auto correct = installations_own(account);
  if (!ring || !correct) return give_up(ring ? correct.error() : ring.error());
  ring->correct(*correct);
  ring->correct([&](RingFacts& facts) {
    facts.ring_id = made->ring_id;
    facts.host_pid = static_cast<uint32_t>(made->host);
  });
  Log log(log_path(*run_dir, made->ring_id), false);
  return record(*ring, account, signal_fd, log);
}

Outcome adopt_ring(const std::string& ring_id, const Account& account, int signal_fd) {
  if (!account.is_installed() || !is_plain_name(ring_id)) return {kUsage};
  if (auto settled = account.settle(); !settled) return {kCannotRun};
  const auto run_dir = installed_run_dir(account);
  if (!run_dir || !check_limits()) return {kCannotRun};
  return record_ring(ring_path(*run_dir, ring_id), account, signal_fd);
}

// Those of its service that come while it waits.
int record_next_hosts(Outcome outcome, const Account& account, int signal_fd) {
  while (outcome.hosts && outcome.spare_ms > 0) {
    auto next = await_next_host(*outcome.hosts, outcome.spare_ms, signal_fd);
    if (!next) break;
    outcome = outcome.hosts->make_rings ? record_ring(next->ring, account, signal_fd)
                                        : record_stranger(std::move(next->socket), next->ring, account, signal_fd);
  }
  return outcome.code;
}

// For somebody at a terminal: standard output and error stay. `dirs`: paths, each absolute.
int serve_command(const std::string& command, const std::vector<std::string>& dirs, const Account& account) {
  const bool absolute = std::all_of(dirs.begin(), dirs.end(), [](const auto& dir) { return dir.starts_with('/'); });
  if (!account.believes_caller() || !absolute) return kUsage;
  ::signal(SIGCHLD, SIG_IGN);
  ::umask(027);
  if (auto settled = account.settle(); !settled || ::chdir("/") != 0) return kCannotRun;
  if (command == kStatus) return dirs.size() == 1 ? (show_status(dirs[0]) ? kDone : kNotAll) : kUsage;
  if (dirs.size() < 2 || dirs.size() > 3) return kUsage;
  const MasterIdentity self{"recover-" + std::to_string(::getpid()), host_name(), "sidrec-recorder",
                            static_cast<uint32_t>(::getpid()),       ::geteuid(), account.is_installed()};
  const LoadedSettings loaded = load_settings(dirs.size() > 2 ? dirs[2] : "");
  Log log(dirs[0] + "/recover.log", wants_debug());
  for (const std::string& complaint : loaded.complaints) log.warn(complaint);
  Sealing sealing(loaded.settings, log);
  return recover({dirs[0], dirs[1]}, self, sealing) ? kDone : kNotAll;
}

int run(int argc, char** argv) {
  if (argc > 2 && (argv[1] == kRecover || argv[1] == kStatus)) {
    const auto account = Account::find();
    return account ? serve_command(argv[1], {argv + 2, argv + argc}, *account) : kCannotRun;
  }
  const bool makes_ring = argc == 4 && std::strcmp(argv[1], ring::kMakeRing) == 0;
  const bool adopts_ring = argc == 3 && std::strcmp(argv[1], ring::kAdoptRing) == 0;
  UniqueFd socket(makes_ring ? ::fcntl(0, F_DUPFD_CLOEXEC, 3) : -1);
  settle_descriptors();
  const auto account = Account::find();
  if (account) account->become_caller();
  settle_priority();
  const UniqueFd signal_fd = settle_signals();
  ::umask(027);
  if (!account || !signal_fd || ::chdir("/") != 0) return kCannotRun;
  const auto first = [&]() -> Outcome {
    if (makes_ring) {
      return record_stranger(std::move(socket), std::string(argv[2]) + " " + argv[3], *account, signal_fd.get());
    }
    if (adopts_ring) return adopt_ring(argv[2], *account, signal_fd.get());
    if (argc != 2 || argv[1][0] != '/' || !account->believes_caller()) return {kUsage};
    return record_ring(argv[1], *account, signal_fd.get());
  };
  return record_next_hosts(first(), *account, signal_fd.get());
}

}  // namespace
}  // namespace sidrec

int main(int argc, char** argv) { return sidrec::run(argc, argv); }
