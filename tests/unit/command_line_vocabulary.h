// The words of the command line's tests: the built `sidrec`, beside the test program, run as its user runs it.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <functional>
#include <optional>

#include "tests/unit/trail_vocabulary.h"

extern char** environ;

namespace sidrec::trail_test {

inline std::string built_sidrec() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string() + "/sidrec";
}

// Polls: true as soon as `holds` does, false after ten seconds.
inline bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    usleep(5000);
  }
  return true;
}

// One process; its output goes to files.
class Process {
 public:
  Process(const TempDir& dir, std::vector<std::string> command, std::vector<std::string> environment = {}, int out = -1)
      : out_(dir / "stdout"), err_(dir / "stderr") {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
      posix_spawn_file_actions_adddup2(&actions, out, 1);
    else
      posix_spawn_file_actions_addopen(&actions, 1, out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (char** e = environ; *e != nullptr; ++e) {
      const std::string_view variable(*e);
      const bool ours = variable.starts_with("SIDREC_") || variable.starts_with("LD_PRELOAD=");
      if (!ours) environment.emplace_back(variable);
    }
    std::vector<char*> argv, envp;
    for (auto& a : command) argv.push_back(a.data());
    for (auto& e : environment) envp.push_back(e.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    if (posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data()) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ > 0 && !ended()) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool ended() {
    if (!status_) {
      int status = 0;
      if (pid_ <= 0)
        status_ = -1;
      else if (waitpid(pid_, &status, WNOHANG) == pid_)
        status_ = status;
    }
    return status_.has_value();
  }
  // The exit code; -1 if it does not end, or ends by a signal.
  int code() {
    if (!eventually([this] { return ended(); })) return -1;
    return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -1;
  }
  std::string out() const { return contents(out_); }
  std::string err() const { return contents(err_); }

 private:
  std::string out_, err_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

struct CommandLine : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(std::filesystem::exists(built_sidrec())) << built_sidrec() << " is not built"; }

  TempDir files;  // what processes say, programs
  TempDir store;
  Trail trail{store.path(), kSid};

  std::vector<std::string> command(std::initializer_list<std::string> arguments) const {
    std::vector<std::string> all = {built_sidrec()};
    all.insert(all.end(), arguments);
    return all;
  }
  struct Said {
    int code;
    std::string out, err;
  };
  Said sidrec(std::initializer_list<std::string> arguments, std::vector<std::string> environment = {}) const {
    if (environment.empty()) environment.push_back("SIDREC_AUDIT_DIR=" + store.path());
    Process process(files, command(arguments), environment);
    const int code = process.code();
    return {code, process.out(), process.err()};
  }
  void begin() { ASSERT_OK(trail.begin(identity(), master(), 0)); }
  void append(const TestEvent& event) {
    trail.append("r4100", event, false);
    ASSERT_OK(trail.commit(0));
  }
  void ping_and_pong() {
    begin();
    append(opened({.time_ns = 98 * kMicrosecond}));
    append(data({.time_ns = 871 * kMicrosecond}, Direction::kIn, 0, "PING\r\n"));
    append(data({.time_ns = 1312 * kMicrosecond}, Direction::kOut, 0, std::string_view("+PONG\xff\0\r\n", 9)));
    append(closed({.time_ns = 5 * kMillisecond}, counted(6, 9)));
  }
  void end() { ASSERT_OK(trail.end(1500 * kMillisecond, "ended")); }
};

}  // namespace sidrec::trail_test
