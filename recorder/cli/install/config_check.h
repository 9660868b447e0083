// A service's own check of its configuration (sshd -t, haproxy -c, nginx -t): by its unit's program and arguments.
#pragma once

#include <string>

#include "recorder/base/result.h"
#include "recorder/cli/service_facts.h"

namespace sidrec::cli {

// In the service's environment, the library included where that preloads it. Done where the program has no such check.
// An error says what it said.
Result<void> check_configuration(const Service& service);

bool is_nginx(const Service& service);
// What nginx reads, all files of it (nginx -T).
Result<std::string> nginx_configuration(const Service& service);

}  // namespace sidrec::cli
