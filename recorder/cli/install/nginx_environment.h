// nginx clears the environment but for what its configuration names (its "env" directive), and hands what is left to a
// new binary of itself: without LD_PRELOAD it would go on unrecorded after an upgrade.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/cli/install/step.h"
#include "recorder/cli/service_facts.h"

namespace sidrec::cli {

// None where its configuration keeps them already. An error where it reads no file of ours.
Result<std::unique_ptr<Step>> keep_in_nginx(const Service& service, const std::vector<std::string>& variables);
std::unique_ptr<Step> forget_in_nginx();

}  // namespace sidrec::cli
