#include "recorder/base/settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace sidrec {
namespace {

constexpr std::array<std::string_view, 6> kShimKeys = {"sid",   "patience_ms", "ring_kib",
                                                       "input", "overload",    "rescue_group"};
constexpr std::string_view kInstalledName = "sidrec.json";
constexpr size_t kMaxPath = 1000;

struct Limits {
  uint64_t least, most;
};

template <typename T>
bool take(const nlohmann::json& value, Limits limits, T& setting) {
  if (!value.is_number_unsigned()) return false;
  const auto number = value.get<uint64_t>();
  if (number < limits.least || number > limits.most) return false;
  setting = static_cast<T>(number);
  return true;
}

template <typename T>
bool take_or_never(const nlohmann::json& value, Limits limits, T& setting) {
  return take(value, {0, 0}, setting) || take(value, limits, setting);
}

bool take(const nlohmann::json& value, bool& setting) {
  if (!value.is_boolean()) return false;
  setting = value.get<bool>();
  return true;
}

bool take(const nlohmann::json& value, std::string& path) {
  if (!value.is_string()) return false;
  const auto text = value.get<std::string>();
  if (!text.starts_with('/') || text.size() > kMaxPath || text.find('\0') != std::string::npos) return false;
  path = text;
  return true;
}

bool take(const nlohmann::json& value, Fold& fold) {
  constexpr std::array<std::pair<std::string_view, Fold>, 3> kWords = {
      {{"none", Fold::kNone}, {"transfers", Fold::kTransfers}, {"all", Fold::kAll}}};
  for (const auto& [word, meaning] : kWords) {
    if (!value.is_string() || value.get_ref<const std::string&>() != word) continue;
    fold = meaning;
    return true;
  }
  return false;
}

// Nobody but root can have changed it.
Result<void> check_is_roots(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return errno_error("cannot look at " + path);
  if (found.st_uid == 0 && (found.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return Error{path + " must be root's, and writable for nobody else", EPERM};
}

enum class Outcome { kTaken, kBad, kUnknown };

Outcome take_key(const std::string& key, const nlohmann::json& value, Settings& settings) {
  constexpr uint64_t kKiB = 1024, kGiB = 1024 * 1024 * 1024;
  const auto outcome = [](bool taken) { return taken ? Outcome::kTaken : Outcome::kBad; };
  if (key == "retry_ms") return outcome(take(value, {1, 600'000}, settings.retry_ms));
  if (key == "queue_bytes") return outcome(take(value, {128 * kKiB, kGiB}, settings.queue_bytes));
  if (key == "linger_ms") return outcome(take(value, {0, 600'000}, settings.linger_ms));
  if (key == "spare_ms") return outcome(take(value, {0, 600'000}, settings.spare_ms));
  if (key == "order_window_ms") return outcome(take(value, {0, 500}, settings.order_window_ms));
  if (key == "spool_bytes") return outcome(take(value, {0, 64 * kGiB}, settings.spool_bytes));
  if (key == "fold") return outcome(take(value, settings.fold));
  if (key == "seal_bytes") return outcome(take(value, {4 * kKiB, 64 * kGiB}, settings.seal_bytes));
  if (key == "seal_seconds") return outcome(take(value, {1, 86'400}, settings.seal_seconds));
  if (key == "seal_key") return outcome(take(value, settings.seal_key));
  if (key == "segment_bytes") return outcome(take_or_never(value, {64 * kKiB, 1024 * kGiB}, settings.segment_bytes));
  if (key == "segment_seconds") return outcome(take_or_never(value, {1, 31'622'400}, settings.segment_seconds));
  if (key == "reserve_bytes") return outcome(take(value, {0, kGiB}, settings.reserve_bytes));
  if (key == "compress") return outcome(take(value, settings.compress));
  if (key == "audit_dir") return outcome(take(value, settings.audit_dir));
  if (key == "run_dir") return outcome(take(value, settings.run_dir));
  if (std::find(kShimKeys.begin(), kShimKeys.end(), key) != kShimKeys.end()) return Outcome::kTaken;
  return Outcome::kUnknown;
}

}  // namespace

LoadedSettings settings_from_json(const std::string& text, const std::string& name) {
  LoadedSettings loaded;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false, /*ignore_comments=*/true);
  if (!json.is_object()) {
    loaded.complaints.push_back(name + " is not a JSON object; the defaults hold");
    return loaded;
  }
  for (const auto& [key, value] : json.items()) {
    switch (take_key(key, value, loaded.settings)) {
      case Outcome::kTaken: break;
      case Outcome::kBad:
        loaded.complaints.push_back(name + ": " + key + " is not a value within its limits; its default holds");
        break;
      case Outcome::kUnknown: loaded.complaints.push_back(name + ": unknown setting " + key); break;
    }
  }
  return loaded;
}

Result<std::string> installed_settings_path(const std::string& folder) {
  if (auto safe = check_is_roots(folder); !safe) return safe.error();
  const std::string path = folder + "/" + std::string(kInstalledName);
  if (::access(path.c_str(), F_OK) != 0) return std::string();
  if (auto safe = check_is_roots(path); !safe) return safe.error();
  return path;
}

LoadedSettings load_settings(const std::string& path) {
  if (path.empty()) return {};
  std::ifstream file(path);
  if (!file) return {{}, {"cannot open " + path + ": " + std::strerror(errno) + "; the defaults hold"}};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return settings_from_json(text, path);
}

}  // namespace sidrec
