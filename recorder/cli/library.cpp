#include "recorder/cli/library.h"

#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <vector>

namespace sidrec::cli {
namespace {

#if defined(__x86_64__)
constexpr std::string_view kMultiarch = "x86_64-linux-gnu";
#elif defined(__aarch64__)
constexpr std::string_view kMultiarch = "aarch64-linux-gnu";
#else
constexpr std::string_view kMultiarch = "";
#endif

std::string own_directory() {
  std::array<char, PATH_MAX> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  const std::string_view exe(path.data(), length > 0 ? static_cast<size_t>(length) : 0);
  return std::string(exe.substr(0, exe.rfind('/')));
}

}  // namespace

// Beside this program in a build tree; installed, in the library directory that belongs to it.
Result<std::string> find_library() {
  const std::string here = own_directory();
  std::vector<std::string> dirs = {here};
#ifdef SIDREC_LIBRARY_DIR
  dirs.emplace_back(SIDREC_LIBRARY_DIR);
#endif
  dirs.push_back(here + "/../lib/" + std::string(kMultiarch) + "/sidrec");
  dirs.push_back(here + "/../lib/sidrec");
  for (const std::string& dir : dirs) {
    const std::string candidate = dir + "/" + std::string(kLibrary);
    std::array<char, PATH_MAX> real;
    if (access(candidate.c_str(), R_OK) != 0 || realpath(candidate.c_str(), real.data()) == nullptr) continue;
    const std::string path(real.data());
    // The loader splits LD_PRELOAD at both (ld.so(8)).
    if (path.find_first_of(": \t\n") == std::string::npos) return path;
    return Error{path + ": a path with a space or a colon cannot be preloaded; move sidrec to another directory"};
  }
  return Error{std::string(kLibrary) + " is neither in " + here + " nor in its lib directory: install it, or build it"};
}

}  // namespace sidrec::cli
