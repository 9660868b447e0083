// The systemd drop-in by which one service is recorded, made from its unit and from what `sidrec doctor` has to say.
#pragma once

#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/cli/install/places.h"
#include "recorder/cli/service_facts.h"

namespace sidrec::cli {

struct DropIn {
  std::string unit;  // "haproxy.service", also where it was named by an alias
  std::string path;
  std::string text;
  std::vector<std::string> variables;  // the names of those that it sets, and of those that the SID's template uses
  Service service;                     // without it
};

// "ssh", "ssh.service": the service that is meant.
Result<std::string> unit_name(const std::string& name);

// An error is the first problem. `installed`: false: those about what is only made by the installation are none.
Result<void> can_be_recorded(const Service& service, bool installed);

std::string drop_in_path(const std::string& unit);
// Of all services: the paths of those that install has written.
std::vector<std::string> drop_ins_of_installation();

// systemd, where it runs, reads the units again (sd_booted(3)). No service notices.
Result<void> reload_service_manager();

// `sid`: the SID's template; "" for the one that the service has already, or that fits it.
Result<DropIn> drop_in_for(const std::string& unit, const std::string& sid, const Places& places);

}  // namespace sidrec::cli
