// One systemd service as its unit file and drop-ins make it (systemd.unit(5)), read without systemd.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/result.h"

namespace sidrec::cli {

// By precedence, the highest first.
std::vector<std::string> standard_unit_dirs();

class Unit {
 public:
  // `name`: "haproxy.service", "openvpn@home.service". An error of code ENOENT: no such unit.
  // `without`: the file name of drop-ins that are not read.
  static Result<Unit> load(const std::string& name, const std::vector<std::string>& dirs,
                           const std::string& without = {});

  // What it is called itself, where it was asked for by an alias.
  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }

  // Of section [Service]: all assignments of a key since the last empty one.
  const std::vector<std::string>& values(const std::string& key) const;
  std::string last(const std::string& key) const;
  bool is_on(const std::string& key) const;
  // The words of all assignments, quotes taken away.
  std::vector<std::string> words(const std::string& key) const;

  // One file's text on top of what was read before; `name` is what %n and its like stand for.
  void apply(std::string_view text, const std::string& name);

 private:
  std::string name_;
  std::string path_;
  std::map<std::string, std::vector<std::string>> service_;
};

// As systemd splits words: blanks between, quotes and backslashes taken away.
std::vector<std::string> split_words(std::string_view text);

}  // namespace sidrec::cli
