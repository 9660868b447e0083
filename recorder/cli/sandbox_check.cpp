#include "recorder/cli/sandbox_check.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "recorder/cli/place_check.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/system_call_filter.h"

namespace sidrec::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& each : words) text += (text.empty() ? "" : ", ") + each;
  return text;
}

void check_system_calls(Findings& findings, const Service& service) {
  const Unit& unit = service.unit;
  const auto denied =
      denied_calls(unit.values("SystemCallFilter"), service.recorder.is_installed && service.starts_as_root());
  const std::string setting = "SystemCallFilter=" + [&] {
    std::string list = joined(denied);
    std::erase(list, ',');
    return list;
  }();
  const std::string remedy = "Add " + setting + " to the unit, after its own.";
  const bool only_fails = !unit.last("SystemCallErrorNumber").empty();
  if (denied.empty()) {
    if (!unit.values("SystemCallFilter").empty()) findings.ok("SystemCallFilter", "It allows what sidrec calls.");
  } else if (only_fails && std::all_of(denied.begin(), denied.end(), is_dispensable)) {
    findings.note("SystemCallFilter", "It denies " + joined(denied) + ".",
                  "Recorders wait in line with the service when there is much to do.", remedy, {setting});
  } else {
    findings.problem("SystemCallFilter", "It denies " + joined(denied) + ".",
                     "The recorder inherits the filter and is ended at such a call.", remedy, {setting});
  }
}

void check_address_families(Findings& findings, const Unit& unit) {
  const auto& families = unit.values("RestrictAddressFamilies");
  if (families.empty()) return;
  const bool local = allows_family(families, "AF_UNIX"), netlink = allows_family(families, "AF_NETLINK");
  if (!local) {
    findings.problem("RestrictAddressFamilies", "It denies AF_UNIX.", "Recorders find each other by unix sockets.",
                     "Add RestrictAddressFamilies=AF_UNIX AF_NETLINK to the unit.",
                     {"RestrictAddressFamilies=AF_UNIX AF_NETLINK"});
  } else if (!netlink) {
    findings.note("RestrictAddressFamilies", "It denies AF_NETLINK.",
                  "The kernel cannot be asked about connections whose process was killed.",
                  "Add RestrictAddressFamilies=AF_NETLINK to the unit.", {"RestrictAddressFamilies=AF_NETLINK"});
  } else {
    findings.ok("RestrictAddressFamilies", "It allows AF_UNIX and AF_NETLINK.");
  }
}

// Settings that bring NoNewPrivileges with them where the service does not start as root (systemd.exec(5)).
constexpr const char* kImplyNoNewPrivileges[] = {
    "NoNewPrivileges",         "SystemCallFilter",   "SystemCallLog",  "SystemCallArchitectures",
    "RestrictAddressFamilies", "RestrictNamespaces", "PrivateDevices", "ProtectKernelTunables",
    "ProtectKernelModules",    "ProtectKernelLogs",  "ProtectClock",   "MemoryDenyWriteExecute",
    "RestrictRealtime",        "RestrictSUIDSGID",   "DynamicUser",    "LockPersonality",
    "ProtectHostname",
};

// The recorder's set-user-id bit does nothing then, and whom it does not become it does not record for.
void check_privileges(Findings& findings, const Service& service) {
  if (!service.recorder.serves_a_stranger(service.who)) return;
  std::vector<std::string> hinder;
  for (const char* key : kImplyNoNewPrivileges) {
    const std::string value = service.unit.last(key);
    if (value.empty() || value == "no" || value == "false" || value == "0") continue;
    hinder.push_back(key);
  }
  if (hinder.empty()) return;
  const bool by_itself = hinder == std::vector<std::string>{"NoNewPrivileges"};
  findings.problem("NoNewPrivileges",
                   by_itself ? "NoNewPrivileges is on." : "It is on, or implied, by " + joined(hinder) + ".",
                   "The service does not start as root, so its recorder cannot become its own user.",
                   by_itself ? "Set NoNewPrivileges=no in the unit."
                             : "Start the service as root and let it drop its rights itself, or turn all of them off.",
                   by_itself ? std::vector<std::string>{"NoNewPrivileges=no"} : std::vector<std::string>{});
}

void check_harmless(Findings& findings, const Unit& unit) {
  if (unit.is_on("MemoryDenyWriteExecute")) {
    findings.ok("MemoryDenyWriteExecute", "It does no harm: sidrec maps nothing both writable and executable.");
  }
  if (unit.is_on("RestrictSUIDSGID")) {
    findings.ok("RestrictSUIDSGID", "It does no harm: sidrec sets no such bits.");
  }
}

// "1G", or with a hard limit behind it: "512M:1G"
std::optional<uint64_t> soft_limit(const std::string& limit) {
  constexpr std::string_view kUnits = "KMGTPE";
  const std::string soft = limit.substr(0, limit.find(':'));
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(soft.data(), soft.data() + soft.size(), bytes);
  if (error != std::errc()) return std::nullopt;  // "infinity"
  const size_t unit = end == soft.data() + soft.size() ? kUnits.npos : kUnits.find(*end);
  return unit == kUnits.npos ? bytes : bytes << (10 * (unit + 1));
}

void check_users(Findings& findings, const Service& service) {
  if (!service.unit.is_on("PrivateUsers")) return;
  if (service.recorder.is_installed) {
    return findings.problem("PrivateUsers", "The service does not see the users of the machine as they are.",
                            "The recorder's own user is not among those that it sees.",
                            "Set PrivateUsers=no in the unit.", {"PrivateUsers=no"});
  }
  findings.note("PrivateUsers", "The service does not see the users of the machine as they are.",
                "Its recorders do not trust those of another user's services, nor these it.",
                "Set PrivateUsers=no where sessions go through services of several users.");
}

void check_surroundings(Findings& findings, const Unit& unit) {
  for (const char* key : {"RootDirectory", "RootImage"}) {
    if (unit.last(key).empty()) continue;
    findings.problem(key, std::string(key) + "=" + printable(unit.last(key)) + " gives the service another root.",
                     "Library, recorder and directories must be in there.",
                     "Add BindReadOnlyPaths= for the library's directory and BindPaths= for the two others.");
  }
  const std::string limit = unit.last("LimitFSIZE");
  if (const auto bytes = soft_limit(limit)) check_file_size_limit(findings, *bytes, "LimitFSIZE");
}

}  // namespace

void check_sandbox(Findings& findings, const Service& service) {
  check_system_calls(findings, service);
  check_address_families(findings, service.unit);
  check_privileges(findings, service);
  check_users(findings, service);
  check_surroundings(findings, service.unit);
  check_harmless(findings, service.unit);
}

}  // namespace sidrec::cli
