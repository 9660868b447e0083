#include "recorder/cli/unit_paths.h"

#include <filesystem>

namespace sidrec::cli {
namespace {

namespace fs = std::filesystem;

// "/var/run/x" -> "/run/x", "-/x" -> "/x"
std::string resolved(std::string path) {
  while (path.starts_with('-') || path.starts_with('+') || path.starts_with('!')) path.erase(0, 1);
  std::error_code failed;
  const fs::path result = fs::weakly_canonical(path, failed);
  std::string text = failed ? path : result.string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

bool is_below(const std::string& path, const std::string& dir) {
  return dir == "/" || path == dir || (path.starts_with(dir) && path[dir.size()] == '/');
}

// The nearest directory above; of two rules for one directory the stricter.
const PathRule* nearest(const std::vector<PathRule>& rules, const std::string& path) {
  const PathRule* best = nullptr;
  for (const PathRule& rule : rules) {
    if (!is_below(path, rule.path)) continue;
    const bool nearer = best == nullptr || rule.path.size() > best->path.size() ||
                        (rule.path.size() == best->path.size() && rule.access > best->access);
    if (nearer) best = &rule;
  }
  return best;
}

}  // namespace

void UnitPaths::add(const Unit& unit, const std::string& key, PathAccess access) {
  for (const std::string& word : unit.words(key)) rules_.push_back({resolved(word), access, key + "=" + word});
}

void UnitPaths::add_protections(const Unit& unit) {
  const auto read_only = [&](const char* path, const std::string& setting) {
    rules_.push_back({resolved(path), PathAccess::kReadOnly, setting});
  };
  const bool dynamic_user = unit.is_on("DynamicUser");  // implies the strictest
  const std::string system = dynamic_user ? "strict" : unit.last("ProtectSystem");
  const std::string setting = dynamic_user ? "DynamicUser=yes" : "ProtectSystem=" + system;
  if (system == "strict") {
    read_only("/", setting);
    for (const char* kept : {"/dev", "/proc", "/sys"}) rules_.push_back({kept, PathAccess::kUnchanged, ""});
  } else if (system == "full" || unit.is_on("ProtectSystem")) {
    for (const char* path : {"/usr", "/boot", "/efi"}) read_only(path, setting);
    if (system == "full") read_only("/etc", setting);
  }
  const std::string home = unit.last("ProtectHome");
  const std::string home_setting = "ProtectHome=" + home;
  for (const char* path : {"/home", "/root", "/run/user"}) {
    if (home == "read-only") read_only(path, home_setting);
    if (home == "tmpfs") rules_.push_back({path, PathAccess::kPrivate, home_setting});
    if (unit.is_on("ProtectHome")) rules_.push_back({path, PathAccess::kInaccessible, home_setting});
  }
  if (unit.is_on("PrivateTmp") || dynamic_user) {
    const std::string why = unit.is_on("PrivateTmp") ? "PrivateTmp=" + unit.last("PrivateTmp") : "DynamicUser=yes";
    for (const char* path : {"/tmp", "/var/tmp"}) rules_.push_back({path, PathAccess::kPrivate, why});
  }
}

void UnitPaths::add_directories(const Unit& unit) {
  constexpr std::pair<const char*, const char*> kDirectories[] = {{"RuntimeDirectory", "/run/"},
                                                                  {"StateDirectory", "/var/lib/"},
                                                                  {"CacheDirectory", "/var/cache/"},
                                                                  {"LogsDirectory", "/var/log/"}};
  for (const auto& [key, parent] : kDirectories) {
    for (const std::string& word : unit.words(key)) {
      rules_.push_back(
          {resolved(parent + word.substr(0, word.find(':'))), PathAccess::kMade, std::string(key) + "=" + word});
    }
  }
}

UnitPaths::UnitPaths(const Unit& unit) {
  add_protections(unit);
  add_directories(unit);
  for (const char* key : {"ReadWritePaths", "ReadWriteDirectories"}) add(unit, key, PathAccess::kUnchanged);
  for (const char* key : {"ReadOnlyPaths", "ReadOnlyDirectories"}) add(unit, key, PathAccess::kReadOnly);
  for (const char* key : {"InaccessiblePaths", "InaccessibleDirectories"}) add(unit, key, PathAccess::kInaccessible);
  for (const std::string& word : unit.words("TemporaryFileSystem")) {
    rules_.push_back({resolved(word.substr(0, word.find(':'))), PathAccess::kPrivate, "TemporaryFileSystem=" + word});
  }
  for (const char* key : {"BindPaths", "BindReadOnlyPaths"}) {
    const bool writable = std::string_view(key) == "BindPaths";
    for (const std::string& word : unit.words(key)) {
      const size_t colon = word.find(':');
      const std::string inside =
          colon == std::string::npos ? word : word.substr(colon + 1, word.find(':', colon + 1) - colon - 1);
      rules_.push_back(
          {resolved(inside), writable ? PathAccess::kUnchanged : PathAccess::kReadOnly, std::string(key) + "=" + word});
    }
  }
  for (const std::string& word : unit.words("NoExecPaths")) {
    execution_.push_back({resolved(word), PathAccess::kInaccessible, "NoExecPaths=" + word});
  }
  for (const std::string& word : unit.words("ExecPaths")) {
    execution_.push_back({resolved(word), PathAccess::kUnchanged, "ExecPaths=" + word});
  }
}

PathRule UnitPaths::rule_for(const std::string& path) const {
  const PathRule* rule = nearest(rules_, resolved(path));
  return rule == nullptr ? PathRule{"/", PathAccess::kUnchanged, ""} : *rule;
}

std::string UnitPaths::what_forbids_execution(const std::string& path) const {
  const PathRule* rule = nearest(execution_, resolved(path));
  return rule == nullptr || rule->access == PathAccess::kUnchanged ? std::string() : rule->setting;
}

}  // namespace sidrec::cli
