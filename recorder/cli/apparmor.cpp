#include "recorder/cli/apparmor.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <regex>
#include <vector>

#include "recorder/cli/file_text.h"
#include "recorder/cli/printable.h"

namespace sidrec::cli {
namespace {

constexpr size_t kMaxAlternatives = 64;  // of one pattern

// "/usr/{bin,sbin}/x" -> "/usr/bin/x", "/usr/sbin/x"
void expand_braces(const std::string& pattern, std::vector<std::string>& into) {
  const size_t open = pattern.find('{');
  const size_t close = open == std::string::npos ? open : pattern.find('}', open);
  if (close == std::string::npos || into.size() >= kMaxAlternatives) {
    into.push_back(pattern);
    return;
  }
  for (size_t begin = open + 1; begin <= close && into.size() < kMaxAlternatives;) {
    const size_t end = std::min(pattern.find(',', begin), close);
    expand_braces(pattern.substr(0, open) + pattern.substr(begin, end - begin) + pattern.substr(close + 1), into);
    begin = end + 1;
  }
}

// apparmor.d(5): * stays within one path component, ** does not.
bool attaches(const std::string& pattern, const std::string& program) {
  std::vector<std::string> patterns;
  expand_braces(pattern, patterns);
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& each) {
    const int flags = each.find("**") == std::string::npos ? FNM_PATHNAME : 0;
    return fnmatch(each.c_str(), program.c_str(), flags) == 0;
  });
}

std::optional<Profile> profile_in(const std::string& text, const std::string& program) {
  // "profile haproxy /usr/sbin/haproxy flags=(complain) {" or "/usr/sbin/haproxy {"
  static const std::regex kHeader(R"re((profile\s+)?("[^"]*"|[^\s"#]+)(\s+("[^"]*"|/\S*))?\s*(.*)\{)re");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t begin = line.find_first_not_of(" \t");
    const size_t end = line.find_last_not_of(" \t\r");
    std::smatch match;
    if (begin == std::string::npos || line.size() > 1000) continue;
    const std::string header = line.substr(begin, end - begin + 1);
    if (!std::regex_match(header, match, kHeader)) continue;
    const auto unquoted = [](std::string word) {
      std::erase(word, '"');
      return word;
    };
    const std::string name = unquoted(match[2]);
    const std::string pattern = match[4].matched ? unquoted(match[4]) : name;
    if (!pattern.starts_with('/') || !attaches(pattern, program)) continue;
    return Profile{name, match[5].str().find("complain") == std::string::npos, {}, false};
  }
  return std::nullopt;
}

}  // namespace

bool apparmor_is_enabled() { return file_text("/sys/module/apparmor/parameters/enabled").starts_with('Y'); }

std::optional<Profile> profile_of_label(std::string_view label) {
  label = label.substr(0, label.find_first_of("\n\0"));
  const size_t mode = label.rfind(" (");
  if (mode == label.npos) return std::nullopt;  // "unconfined", or not AppArmor's
  return Profile{std::string(label.substr(0, mode)), label.substr(mode) == " (enforce)", {}, false};
}

std::optional<Profile> profile_for(const std::string& program, const std::string& dir) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(dir, ignored)) {
    if (!entry.is_regular_file(ignored)) continue;
    const std::string text = file_text(entry.path().string());
    auto profile = profile_in(text, program);
    if (!profile) continue;
    profile->file = entry.path().string();
    const std::string local = file_text(dir + "/local/" + entry.path().filename().string());
    profile->knows_us = (text + local).find("sidrec") != std::string::npos;
    return profile;
  }
  return std::nullopt;
}

void report_profile(Findings& findings, const Profile& profile) {
  const std::string name = printable(profile.name);
  if (profile.knows_us) return findings.ok("AppArmor", "Profile " + name + " speaks of sidrec.");
  const std::string where = profile.file.empty() ? "its profile" : printable(profile.file);
  const std::string remedy = "Allow in " + where +
                             " (best in its local/ part): libsidrec.so mr, sidrec-recorder ix, and rwkl below the "
                             "run and audit directories.";
  if (profile.enforced) {
    findings.problem("AppArmor", "Profile " + name + " is enforced and does not speak of sidrec.",
                     "It would keep the library, the recorder and the directories from the program.", remedy);
  } else {
    findings.note("AppArmor", "Profile " + name + " only complains, and does not speak of sidrec.",
                  "Once it is enforced it would end the recording.", remedy);
  }
}

}  // namespace sidrec::cli
