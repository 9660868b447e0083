#include "recorder/cli/install/places.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "recorder/base/settings.h"
#include "recorder/cli/file_text.h"
#include "recorder/cli/install/file_step.h"
#include "recorder/cli/install/ownership_step.h"
#include "recorder/cli/library.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/process_facts.h"
#include "recorder/cli/recorder_file.h"

namespace sidrec::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTmpfiles = "/etc/tmpfiles.d/sidrec.conf";
constexpr const char* kRecoverUnit = "/etc/systemd/system/sidrec-recover.service";
constexpr const char* kRecoverAtBoot = "/etc/systemd/system/multi-user.target.wants/sidrec-recover.service";
constexpr const char* kReaders = "adm";  // Debian's group of those who read logs
constexpr mode_t kAuditMode = 02750, kRunMode = 0700;

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }
bool is_empty(const std::string& path) {
  std::error_code failed;
  return !exists(path) || fs::is_empty(path, failed);
}

std::string settings_text(const StoreLocation& store) {
  const nlohmann::ordered_json settings = {{"audit_dir", store.audit_dir}, {"run_dir", store.run_dir}};
  return settings.dump(2) + "\n";
}

std::string tmpfiles_text(const StoreLocation& store) {
  const std::string user = kUser;
  return "d " + store.run_dir + " 0700 " + user + " " + user + " -\n";
}

// What a power cut has left without an end. Rings do not outlive it, on a tmpfs.
std::string recover_unit_text(const StoreLocation& store) {
  std::error_code failed;
  return "[Unit]\n"
         "Description=Finish what recorders of client sessions have left\n"
         "RequiresMountsFor=" +
         store.audit_dir +
         "\n"
         "After=systemd-tmpfiles-setup.service\n\n"
         "[Service]\n"
         "Type=oneshot\n"
         "ExecStart=" +
         fs::read_symlink("/proc/self/exe", failed).string() + " recover\n";
}

std::string settings_link(const Places& places) { return places.folder() + "/sidrec.json"; }

// What a recorder that was killed has left: nobody else has what is in there.
bool holds_unwritten_data(const std::string& run_dir) {
  std::error_code failed;
  for (const auto& entry : fs::recursive_directory_iterator(run_dir, failed)) {
    const auto kind = entry.path().extension();
    if (kind == ".ring" || kind == ".spool") return true;
  }
  return false;
}

// Everything in there is ours, and was of use to processes only that have ended.
class RemoveRunDirectory : public Step {
 public:
  explicit RemoveRunDirectory(std::string path) : path_(std::move(path)), itself_(remove_directory(path_)) {}

  std::string what() const override { return itself_->what(); }
  Result<bool> is_done() const override { return itself_->is_done(); }
  Result<void> apply() override {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(path_, failed)) fs::remove_all(entry.path(), failed);
    return itself_->apply();
  }
  void take_back() override { itself_->take_back(); }

 private:
  std::string path_;
  std::unique_ptr<Step> itself_;
};

Result<void> check_folder(const Places& places) {
  const std::string folder = places.folder();
  if (exists(folder + "/CMakeCache.txt")) {
    return Error{printable(folder) + " is a build directory: cmake --install it, and run the sidrec that is installed"};
  }
  if (const auto settings = installed_settings_path(folder); !settings) return settings.error();
  if (!exists(RecorderFile::beside(places.library).path)) {
    return Error{"there is no " + std::string(kRecorder) + " in " + printable(folder) + ": install it there"};
  }
  return {};
}

Result<void> check_options(const StoreOptions& options, const StoreLocation& store) {
  const auto differs = [](const std::string& option, const std::string& is) { return !option.empty() && option != is; };
  if (!differs(options.audit_dir, store.audit_dir) && !differs(options.run_dir, store.run_dir)) return {};
  return Error{std::string(kSettingsPath) + " names other directories: change them there", EEXIST};
}

}  // namespace

Result<Places> places_of_installation(const StoreOptions& options) {
  const auto library = find_library();
  if (!library) return library.error();
  StoreOptions chosen = options;
  const bool has_settings = exists(kSettingsPath);
  if (has_settings) chosen = {{}, {}, kSettingsPath};
  const auto store = locate_store(chosen, {[](const char*) { return std::string(); }, 0});
  if (!store) return store.error();
  const Places places{*library, *store};
  if (auto folder = check_folder(places); !folder) return folder.error();
  if (has_settings) {
    if (auto same = check_options(options, *store); !same) return same.error();
  }
  return places;
}

Steps steps_to_prepare(const Places& places) {
  Steps steps;
  steps.push_back(make_user());
  steps.push_back(make_directory(places.store.audit_dir, kReaders, kAuditMode));
  steps.push_back(make_directory(places.store.run_dir, kUser, kRunMode));
  steps.push_back(write_our_file(kTmpfiles, tmpfiles_text(places.store)));
  steps.push_back(write_our_file(kRecoverUnit, recover_unit_text(places.store)));
  steps.push_back(make_link(kRecoverAtBoot, kRecoverUnit));
  steps.push_back(write_new_file(kSettingsPath, settings_text(places.store)));
  steps.push_back(make_link(settings_link(places), kSettingsPath));
  steps.push_back(give_to_user(RecorderFile::beside(places.library).path));
  return steps;
}

Steps steps_to_clear(const Places& places) {
  Steps steps;
  steps.push_back(remove_our_file(kTmpfiles));
  steps.push_back(remove_link(kRecoverAtBoot));
  steps.push_back(remove_our_file(kRecoverUnit));
  steps.push_back(give_to_root(RecorderFile::beside(places.library).path));
  steps.push_back(remove_link(settings_link(places)));
  if (file_text(kSettingsPath) == settings_text(places.store)) steps.push_back(remove_file(kSettingsPath));
  const bool has_trails = !is_empty(places.store.audit_dir), has_data = holds_unwritten_data(places.store.run_dir);
  if (!has_data) steps.push_back(std::make_unique<RemoveRunDirectory>(places.store.run_dir));
  if (!has_trails) steps.push_back(remove_directory(places.store.audit_dir));
  if (!has_data && !has_trails) steps.push_back(remove_user());
  return steps;
}

namespace {

template <typename Look>
void for_each_process(const Look& look) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/proc", failed)) {
    const std::string number = entry.path().filename().string();
    if (number.find_first_not_of("0123456789") == std::string::npos) look(number);
  }
}

// By its program's file: the same path may be another one's elsewhere (mount_namespaces(7)).
std::vector<pid_t> recorders_of(const Places& places) {
  std::vector<pid_t> recorders;
  struct stat ours {};
  if (::stat(RecorderFile::beside(places.library).path.c_str(), &ours) != 0) return recorders;
  for_each_process([&](const std::string& number) {
    struct stat program {};
    if (::stat(("/proc/" + number + "/exe").c_str(), &program) != 0) return;
    if (program.st_dev == ours.st_dev && program.st_ino == ours.st_ino) recorders.push_back(std::stoi(number));
  });
  return recorders;
}

}  // namespace

std::string recorded_processes(const Places& places) {
  std::string names;
  for_each_process([&](const std::string& number) {
    const std::string library = mappings_of(file_text("/proc/" + number + "/maps")).library;
    if (!library.starts_with(places.library)) return;  // " (deleted)" may follow
    const std::string program = program_of(std::stoi(number));
    names += (names.empty() ? "" : ", ") + fs::path(program).filename().string() + " (" + number + ")";
  });
  return names;
}

Result<void> end_recorders(const Places& places) {
  constexpr int kTries = 120;
  constexpr useconds_t kPauseUs = 50'000;
  for (const pid_t pid : recorders_of(places)) ::kill(pid, SIGTERM);
  std::vector<pid_t> left = recorders_of(places);
  for (int tries = 0; !left.empty() && tries < kTries; ++tries) {
    ::usleep(kPauseUs);
    left = recorders_of(places);
  }
  if (left.empty()) return {};
  return Error{"recorder " + std::to_string(left.front()) +
               " still writes what it has: run \"sidrec uninstall\" again when it has ended"};
}

std::string what_stays(const Places& places) {
  std::string text;
  const auto add = [&](const std::string& sentence) { text += "It stays: " + sentence + "\n"; };
  const bool has_trails = !is_empty(places.store.audit_dir), has_data = holds_unwritten_data(places.store.run_dir);
  if (has_trails) add(printable(places.store.audit_dir) + ", for it holds trails.");
  if (has_data) add(printable(places.store.run_dir) + ", for it holds data that no recorder has written to a trail.");
  if (has_trails || has_data) add(std::string("the user ") + kUser + ", whose these are.");
  if (exists(kSettingsPath) && file_text(kSettingsPath) != settings_text(places.store)) {
    add(std::string(kSettingsPath) + ", for it was changed by hand.");
  }
  return text;
}

}  // namespace sidrec::cli
