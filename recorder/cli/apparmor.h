// What AppArmor says of a program: the profile of a running process, or the one in /etc/apparmor.d that would confine
// it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "recorder/cli/finding.h"

namespace sidrec::cli {

struct Profile {
  std::string name;
  bool enforced = true;   // else it only complains
  std::string file;       // where it is written, "" if that is not known
  bool knows_us = false;  // the file, or its part in local/, speaks of sidrec
};

bool apparmor_is_enabled();

// "haproxy (enforce)", as in /proc/PID/attr/current; nothing if it confines nothing.
std::optional<Profile> profile_of_label(std::string_view label);

// The profile in `dir` that attaches to `program`.
std::optional<Profile> profile_for(const std::string& program, const std::string& dir = "/etc/apparmor.d");

void report_profile(Findings& findings, const Profile& profile);

}  // namespace sidrec::cli
