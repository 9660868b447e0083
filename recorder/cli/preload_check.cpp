#include "recorder/cli/preload_check.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "recorder/base/unique_fd.h"
#include "recorder/cli/elf_file.h"

namespace sidrec::cli {
namespace {

constexpr int kMaxInterpreters = 5;  // the kernel's own bound (binfmt_script)
constexpr size_t kMaxShebang = 256;  // BINPRM_BUF_SIZE
constexpr const char* kSecureExecution = "the loader preloads nothing there";

Refusal cannot(const std::string& path, std::string what, std::string why, std::string remedy) {
  return {path, std::move(what), std::move(why), std::move(remedy), kCannotRun};
}

Refusal not_startable(const std::string& path, ExitCode code) {
  return {path, std::string("it cannot be started (") + std::strerror(errno) + ")", "only what runs can be recorded",
          "correct its path or its mode", code};
}

std::optional<Refusal> check_elf(const std::string& path, UniqueFd file) {
  const auto elf = ElfFile::of(path, std::move(file));
  if (!elf) return cannot(path, "it is a damaged ELF file", "nothing can start it", "install it anew");
  if (!elf->is_native()) {
    return cannot(path, "it is built for another architecture than libsidrec.so", "the loader cannot load both",
                  "use the program's native build");
  }
  if (!elf->has_interpreter()) {
    return cannot(path, "it is statically linked", "no library can be preloaded", "use a dynamically linked build");
  }
  return std::nullopt;
}

std::optional<Refusal> check_rights(const std::string& path, const struct stat& found) {
  const bool set_group = (found.st_mode & S_ISGID) != 0 && (found.st_mode & S_IXGRP) != 0;
  if ((found.st_mode & S_ISUID) != 0 || set_group) {
    return cannot(path, std::string("it is ") + (set_group ? "set-group-id" : "set-user-id"), kSecureExecution,
                  "run a copy without that bit as the user it needs");
  }
  if (getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
    return cannot(path, "it has file capabilities", kSecureExecution,
                  "run a copy without them (setcap -r) and grant ambient ones instead");
  }
  return std::nullopt;
}

// "#! /usr/bin/env python3" -> "/usr/bin/env"
std::string interpreter_of(std::string_view first_bytes) {
  std::string_view line = first_bytes.substr(2, first_bytes.find_first_of("\n") - 2);
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  line.remove_prefix(begin);
  return std::string(line.substr(0, line.find_first_of(" \t\r")));
}

}  // namespace

std::string find_program(const std::string& command) {
  const auto is_file = [](const std::string& path) {
    struct stat found {};
    return stat(path.c_str(), &found) == 0 && !S_ISDIR(found.st_mode);
  };
  if (command.find('/') != std::string::npos) return is_file(command) ? command : std::string();
  const char* variable = std::getenv("PATH");
  const std::string path = variable == nullptr ? "/bin:/usr/bin" : variable;
  std::string not_executable;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const std::string dir = path.substr(begin, end - begin);
    const std::string candidate = (dir.empty() ? "." : dir) + "/" + command;
    if (is_file(candidate) && access(candidate.c_str(), X_OK) == 0) return candidate;
    if (is_file(candidate) && not_executable.empty()) not_executable = candidate;
    begin = end + 1;
  }
  return not_executable;
}

std::string Refusal::sentence() const { return path + " cannot be recorded: " + what + ", and " + why + "; " + remedy; }

PreloadCheck check_program(const std::string& program) {
  std::string path = program;
  for (int depth = 0; depth < kMaxInterpreters; ++depth) {
    struct stat found {};
    if (stat(path.c_str(), &found) != 0) return {path, not_startable(path, kNotFound)};
    if (access(path.c_str(), X_OK) != 0) return {path, not_startable(path, kCannotRun)};
    // The kernel takes no notice of such bits on a script (execve(2)); its interpreter is looked at next.
    UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return {path, check_rights(path, found)};  // executable but not readable: its rights are all one can see
    std::array<char, kMaxShebang> start{};
    const ssize_t got = pread(file.get(), start.data(), start.size(), 0);
    const std::string_view first(start.data(), got > 0 ? static_cast<size_t>(got) : 0);
    if (first.starts_with(ELFMAG)) {
      if (auto refused = check_rights(path, found)) return {path, refused};
      return {path, check_elf(path, std::move(file))};
    }
    // execvp(3) hands what is neither a program nor a script to the shell.
    path = first.starts_with("#!") ? interpreter_of(first) : "/bin/sh";
    if (path.empty()) {
      return {program, cannot(program, "its first line names no interpreter", "nothing can start it", "correct it")};
    }
  }
  return {program, cannot(program, "it has too many interpreters", "the kernel starts none of them",
                          "name a program in the first line of the script")};
}

}  // namespace sidrec::cli
