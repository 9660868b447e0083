#include "recorder/cli/unit_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "recorder/cli/file_text.h"
#include "recorder/cli/printable.h"

namespace sidrec::cli {
namespace {

namespace fs = std::filesystem;

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1));
}

std::string replaced(std::string text, std::string_view specifier, const std::string& value) {
  for (size_t at = 0; (at = text.find(specifier, at)) != std::string::npos; at += value.size()) {
    text.replace(at, specifier.size(), value);
  }
  return text;
}

// "openvpn@home.service": stem "openvpn@home", template "openvpn@.service", instance "home"
struct UnitName {
  explicit UnitName(const std::string& name) : whole(name), stem(name.substr(0, name.rfind('.'))) {
    const size_t at = stem.find('@');
    if (at == std::string::npos) return;
    instance = stem.substr(at + 1);
    of_template = stem.substr(0, at + 1) + ".service";
  }
  std::string whole, stem, instance, of_template;
};

// Those that hold a name or a path; the rest is left as it is.
std::string expanded(const std::string& value, const UnitName& name) {
  if (value.find('%') == std::string::npos) return value;
  const std::string prefix = name.stem.substr(0, name.stem.find('@'));
  const std::array<std::pair<std::string_view, std::string>, 8> kSpecifiers = {{{"%i", name.instance},
                                                                                {"%I", name.instance},
                                                                                {"%n", name.whole},
                                                                                {"%N", name.stem},
                                                                                {"%p", prefix},
                                                                                {"%t", "/run"},
                                                                                {"%S", "/var/lib"},
                                                                                {"%L", "/var/log"}}};
  std::string result = value;
  for (const auto& [specifier, text] : kSpecifiers) result = replaced(result, specifier, text);
  return replaced(result, "%%", "%");
}

// Less specific first: service.d, foo-.service.d, foo@.service.d, foo-bar.service.d
std::vector<std::string> drop_in_folders(const UnitName& name) {
  std::vector<std::string> folders = {"service.d"};
  for (size_t dash = name.stem.find('-'); dash != std::string::npos; dash = name.stem.find('-', dash + 1)) {
    folders.push_back(name.stem.substr(0, dash + 1) + ".service.d");
  }
  if (!name.of_template.empty()) folders.push_back(name.of_template + ".d");
  folders.push_back(name.whole + ".d");
  return folders;
}

// By file name; of two with the same name the more specific folder, then the earlier directory wins.
std::map<std::string, fs::path> drop_ins(const UnitName& name, const std::vector<std::string>& dirs) {
  std::map<std::string, fs::path> found;
  for (const std::string& folder : drop_in_folders(name)) {
    for (auto dir = dirs.rbegin(); dir != dirs.rend(); ++dir) {
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(fs::path(*dir) / folder, ignored)) {
        if (entry.path().extension() == ".conf") found[entry.path().filename().string()] = entry.path();
      }
    }
  }
  return found;
}

fs::path find_unit(const UnitName& name, const std::vector<std::string>& dirs) {
  for (const std::string& file : {name.whole, name.of_template}) {
    for (const std::string& dir : dirs) {
      std::error_code ignored;
      const fs::path path = fs::path(dir) / file;
      if (!file.empty() && fs::exists(fs::symlink_status(path, ignored))) return path;
    }
  }
  return {};
}

// Continuation lines joined, comments left out.
std::vector<std::string> logical_lines(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream physical{std::string(text)};
  std::string joined;
  for (std::string line; std::getline(physical, line);) {
    const std::string bare = trimmed(line);
    if (bare.starts_with('#') || bare.starts_with(';')) continue;
    const bool goes_on = bare.ends_with('\\');
    joined += goes_on ? bare.substr(0, bare.size() - 1) + " " : bare;
    if (goes_on) continue;
    lines.push_back(std::move(joined));
    joined.clear();
  }
  lines.push_back(std::move(joined));
  return lines;
}

}  // namespace

std::vector<std::string> standard_unit_dirs() {
  return {"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
          "/lib/systemd/system"};
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\0' && (c == ' ' || c == '\t')) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    in_word = true;
    if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
    } else if (quote == c) {
      quote = '\0';
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else {
      word += c;
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

void Unit::apply(std::string_view text, const std::string& name) {
  const UnitName unit(name);
  std::string section;
  for (const std::string& line : logical_lines(text)) {
    if (line.starts_with('[')) section = line;
    const size_t equals = line.find('=');
    if (section != "[Service]" || equals == std::string::npos) continue;
    auto& values = service_[trimmed(line.substr(0, equals))];
    const std::string value = expanded(trimmed(std::string_view(line).substr(equals + 1)), unit);
    if (value.empty()) {
      values.clear();  // takes back all before it
    } else {
      values.push_back(value);
    }
  }
}

Result<Unit> Unit::load(const std::string& name, const std::vector<std::string>& dirs, const std::string& without) {
  fs::path path = find_unit(UnitName(name), dirs);
  if (path.empty()) return Error{"there is no unit " + printable(name), ENOENT};
  std::error_code ignored;
  const fs::path target = fs::weakly_canonical(path, ignored);
  if (target == "/dev/null") return Error{printable(name) + " is masked by " + path.string()};
  // An alias: its drop-ins are those of the unit that it stands for.
  const std::string real_name = UnitName(name).of_template.empty() ? target.filename().string() : name;
  Unit unit;
  unit.name_ = real_name;
  unit.path_ = target.string();
  unit.apply(file_text(target.string()), real_name);
  for (const auto& [file, drop_in] : drop_ins(UnitName(real_name), dirs)) {
    if (file != without) unit.apply(file_text(drop_in.string()), real_name);
  }
  return unit;
}

const std::vector<std::string>& Unit::values(const std::string& key) const {
  static const std::vector<std::string> kNone;
  const auto found = service_.find(key);
  return found == service_.end() ? kNone : found->second;
}

std::string Unit::last(const std::string& key) const {
  const auto& all = values(key);
  return all.empty() ? std::string() : all.back();
}

bool Unit::is_on(const std::string& key) const {
  constexpr std::array<std::string_view, 5> kYes = {"1", "yes", "y", "true", "on"};
  std::string value = last(key);
  std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(kYes.begin(), kYes.end(), value) != kYes.end();
}

std::vector<std::string> Unit::words(const std::string& key) const {
  std::vector<std::string> all;
  for (const std::string& value : values(key)) {
    auto more = split_words(value);
    std::move(more.begin(), more.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace sidrec::cli
