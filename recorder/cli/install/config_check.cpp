#include "recorder/cli/install/config_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "recorder/cli/install/program.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/process_facts.h"

namespace sidrec::cli {
namespace {

// What makes each check its configuration and end (sshd(8), haproxy(1), nginx(8)).
const std::map<std::string, std::vector<std::string>> kChecks = {
    {"sshd", {"-t"}}, {"haproxy", {"-c"}}, {"nginx", {"-t", "-q"}}};

std::string name_of(const Command& command) { return command.path.substr(command.path.rfind('/') + 1); }

const Command* command_named(const Service& service, const std::string& name) {
  const auto found = std::find_if(service.commands.begin(), service.commands.end(),
                                  [&](const Command& each) { return name_of(each) == name; });
  return found == service.commands.end() ? nullptr : &*found;
}

// "$OPTIONS" as a word of its own becomes several or none, "${FILE}" text within one (systemd.service(5)).
std::vector<std::string> expanded(const Command& command, const std::string& environment) {
  std::vector<std::string> words = {command.path};
  for (std::string word : command.arguments) {
    if (word.size() > 1 && word[0] == '$' && word[1] != '{' && word[1] != '$') {
      for (std::string& each : split_words(variable_of(environment, word.substr(1)))) words.push_back(std::move(each));
      continue;
    }
    for (size_t at = 0; (at = word.find("${", at)) != std::string::npos;) {
      const size_t end = word.find('}', at);
      if (end == std::string::npos) break;
      const std::string value = variable_of(environment, word.substr(at + 2, end - at - 2));
      word.replace(at, end + 1 - at, value);
      at += value.size();
    }
    words.push_back(std::move(word));
  }
  return words;
}

// Those of its unit, which systemd makes before a start; gone again afterwards.
class RuntimeDirectories {
 public:
  explicit RuntimeDirectories(const Service& service) {
    for (const std::string& each : service.unit.words("RuntimeDirectory")) {
      const std::string path = "/run/" + each;
      if (::mkdir(path.c_str(), 0755) == 0) made_.push_back(path);
    }
  }
  ~RuntimeDirectories() {
    for (const std::string& path : made_) ::rmdir(path.c_str());
  }
  RuntimeDirectories(const RuntimeDirectories&) = delete;
  RuntimeDirectories& operator=(const RuntimeDirectories&) = delete;

 private:
  std::vector<std::string> made_;
};

Result<Outcome> run_with(const Service& service, const Command& command, const std::vector<std::string>& options) {
  const RuntimeDirectories directories(service);
  auto words = expanded(command, service.environment);
  words.insert(words.end(), options.begin(), options.end());
  return run_program(words, service.environment);
}

Error complaint(const Service& service, const Command& command, const std::vector<std::string>& options,
                const Outcome& outcome) {
  std::string said = outcome.output;
  while (said.ends_with('\n')) said.pop_back();
  std::string asked = name_of(command);
  for (const std::string& each : options) asked += " " + each;
  return Error{service.unit.name() + ": its configuration does not pass \"" + asked + "\" (" +
               std::to_string(outcome.code) + "): " + printable(said, 2000)};
}

}  // namespace

Result<void> check_configuration(const Service& service) {
  for (const auto& [name, options] : kChecks) {
    const Command* command = command_named(service, name);
    if (command == nullptr) continue;
    const auto outcome = run_with(service, *command, options);
    if (!outcome) return outcome.error();
    if (outcome->code != 0) return complaint(service, *command, options, *outcome);
  }
  return {};
}

bool is_nginx(const Service& service) { return command_named(service, "nginx") != nullptr; }

Result<std::string> nginx_configuration(const Service& service) {
  const Command& command = *command_named(service, "nginx");
  const auto outcome = run_with(service, command, {"-T"});
  if (!outcome) return outcome.error();
  if (outcome->code != 0) return complaint(service, command, {"-T"}, *outcome);
  return outcome->output;
}

}  // namespace sidrec::cli
