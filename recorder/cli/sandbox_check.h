// Which settings of a unit that wall its service in hinder the library or its recorder, besides those about paths.
#pragma once

#include <string>

#include "recorder/cli/finding.h"
#include "recorder/cli/service_facts.h"

namespace sidrec::cli {

// `library`: the one that is, or would be, preloaded.
void check_sandbox(Findings& findings, const Service& service, const std::string& library);

}  // namespace sidrec::cli
