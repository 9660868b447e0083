#include "recorder/cli/install/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <filesystem>

#include "recorder/base/unique_fd.h"
#include "recorder/cli/printable.h"

namespace sidrec::cli {
namespace {

using std::chrono::steady_clock;

constexpr const char* kSearchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::chrono::seconds kPatience{30};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> variables(const std::string& environment) {
  std::vector<std::string> result = {kSearchPath};
  for (size_t begin = 0, end = 0; (end = environment.find('\0', begin)) != std::string::npos; begin = end + 1) {
    result.push_back(environment.substr(begin, end - begin));
  }
  return result;
}

std::string found_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    std::error_code ignored;
    if (std::filesystem::exists(folder + name, ignored)) return folder + name;
  }
  return name;
}

class SpawnActions {
 public:
  explicit SpawnActions(int output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, output, 2);
  }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// False when it is still going on at the deadline.
bool read_to_end(int fd, std::string& text) {
  const auto deadline = steady_clock::now() + kPatience;
  std::array<char, 4096> part;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd readable = {fd, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(left)) <= 0) continue;
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got == 0) return true;
    if (got > 0) text.append(part.data(), static_cast<size_t>(got));
  }
}

}  // namespace

Result<Outcome> run_program(const std::vector<std::string>& command, const std::string& environment) {
  std::vector<std::string> words = command, names = variables(environment);
  words[0] = found_in_path(words[0]);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("cannot run " + printable(words[0]));
  UniqueFd reading(ends[0]), writing(ends[1]);
  const SpawnActions actions(writing.get());
  pid_t pid = 0;
  const int failed =
      ::posix_spawn(&pid, words[0].c_str(), actions.get(), nullptr, pointers(words).data(), pointers(names).data());
  if (failed != 0) return errno_error("cannot run " + printable(words[0]), failed);
  writing.reset();
  Outcome outcome{0, {}};
  const bool ended = read_to_end(reading.get(), outcome.output);
  if (!ended) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (!ended) return Error{printable(words[0]) + " did not end within 30 s", ETIMEDOUT};
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

Result<void> run_tool(const std::vector<std::string>& command) {
  const auto outcome = run_program(command);
  if (!outcome) return outcome.error();
  if (outcome->code == 0) return {};
  std::string said = outcome->output;
  while (said.ends_with('\n')) said.pop_back();
  return Error{printable(command[0]) + " failed (" + std::to_string(outcome->code) +
               "): " + printable(said.substr(said.rfind('\n') + 1))};
}

}  // namespace sidrec::cli
