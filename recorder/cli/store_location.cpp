#include "recorder/cli/store_location.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "recorder/base/settings.h"

namespace sidrec::cli {
namespace {

// XDG base directories must be absolute; others are to be ignored (XDG Base Directory Specification).
std::string xdg_directory(const SettingsSource& source, const char* name) {
  std::string value = source.variable(name);
  return value.starts_with('/') ? value : std::string();
}

std::string default_audit_dir(const SettingsSource& source) {
  if (source.uid == 0) return "/var/log/sidrec";
  if (const std::string state = xdg_directory(source, "XDG_STATE_HOME"); !state.empty()) return state + "/sidrec";
  const std::string home = source.variable("HOME");
  return (home.empty() ? "/tmp" : home) + "/.local/state/sidrec";  // without a home as the preloaded library has it
}

std::string default_run_dir(const SettingsSource& source) {
  if (source.uid == 0) return "/run/sidrec";
  if (const std::string runtime = xdg_directory(source, "XDG_RUNTIME_DIR"); !runtime.empty())
    return runtime + "/sidrec";
  return "/tmp/sidrec-" + std::to_string(source.uid);
}

Result<nlohmann::json> read_config(const std::string& path) {
  if (path.empty()) return nlohmann::json::object();
  std::ifstream file(path);
  if (!file) return errno_error("cannot open the configuration " + path);
  auto config = nlohmann::json::parse(file, nullptr, false, true);  // with comments, as the recorder reads it
  if (!config.is_object()) return Error{"the configuration " + path + " is not a JSON object: correct it"};
  for (const char* key : {"audit_dir", "run_dir"}) {
    if (config.contains(key) && !config[key].is_string()) {
      return Error{"the configuration " + path + ": \"" + key + "\" is not a string: correct it"};
    }
  }
  return config;
}

std::string absolute(const std::string& path) {
  if (path.empty()) return path;
  std::error_code ignored;
  const auto result = std::filesystem::absolute(path, ignored).lexically_normal().string();
  return result.size() > 1 && result.ends_with('/') ? result.substr(0, result.size() - 1) : result;
}

std::string first_given(const SettingsSource& source, const std::string& option, const char* variable,
                        const nlohmann::json& config, const char* key, const std::string& otherwise) {
  if (!option.empty()) return absolute(option);
  if (const std::string value = source.variable(variable); !value.empty()) return absolute(value);
  if (const auto value = config.value(key, std::string()); !value.empty()) return absolute(value);
  return otherwise;
}

}  // namespace

SettingsSource own_settings_source() {
  return {[](const char* name) {
            const char* value = std::getenv(name);
            return value == nullptr ? std::string() : std::string(value);
          },
          geteuid()};
}

Result<StoreLocation> locate_store(const StoreOptions& options, const SettingsSource& source) {
  StoreLocation location;
  location.config = absolute(options.config.empty() ? source.variable("SIDREC_CONFIG") : options.config);
  const auto config = read_config(location.config);
  if (!config) return config.error();
  location.audit_dir =
      first_given(source, options.audit_dir, "SIDREC_AUDIT_DIR", *config, "audit_dir", default_audit_dir(source));
  location.run_dir =
      first_given(source, options.run_dir, "SIDREC_RUN_DIR", *config, "run_dir", default_run_dir(source));
  return location;
}

Result<StoreLocation> installed_store(const StoreOptions& options, const std::string& folder) {
  const auto settings = installed_settings_path(folder);
  if (!settings) return settings.error();
  StoreOptions chosen = options;
  if (chosen.config.empty()) chosen.config = *settings;
  return locate_store(chosen, {[](const char*) { return std::string(); }, 0});
}

void add_store_options(CLI::App& verb, StoreOptions& options) {
  verb.add_option("--audit-dir", options.audit_dir, "Where the trails are (default: SIDREC_AUDIT_DIR)");
  verb.add_option("--config", options.config, "JSON file of settings (default: SIDREC_CONFIG)");
}

}  // namespace sidrec::cli
