#include "recorder/cli/install/nginx_environment.h"

#include <algorithm>
#include <sstream>

#include "recorder/cli/install/config_check.h"
#include "recorder/cli/install/file_step.h"

namespace sidrec::cli {
namespace {

// Debian's nginx.conf includes these in its outermost context.
constexpr std::string_view kFolder = "/etc/nginx/modules-enabled";
const std::string kNginxPath = std::string(kFolder) + "/00-sidrec.conf";

// A directive, wherever blanks are.
bool has_directive(const std::string& configuration, const std::vector<std::string>& wanted) {
  std::istringstream lines(configuration);
  for (std::string line; std::getline(lines, line);) {
    auto words = split_words(line.substr(0, line.find(';')));
    if (words == wanted) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<Step>> keep_in_nginx(const Service& service, const std::vector<std::string>& variables) {
  const auto configuration = nginx_configuration(service);
  if (!configuration) return configuration.error();
  const bool keeps = std::all_of(variables.begin(), variables.end(), [&](const std::string& name) {
    return has_directive(*configuration, {"env", name});
  });
  if (keeps && !is_written_by_us(kNginxPath)) return std::unique_ptr<Step>();
  std::string text;
  for (const std::string& name : variables) text += "env " + name + ";\n";
  if (has_directive(*configuration, {"include", std::string(kFolder) + "/*.conf"}))
    return write_our_file(kNginxPath, text);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return Error{service.unit.name() + ": its configuration does not include " + std::string(kFolder) +
               "/*.conf: write into its outermost context: " + text};
}

std::unique_ptr<Step> forget_in_nginx() { return remove_our_file(kNginxPath); }

}  // namespace sidrec::cli
