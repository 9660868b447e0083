// Which settings of a unit that wall its service in hinder the library or its recorder, besides those about paths.
#pragma once

#include "recorder/cli/finding.h"
#include "recorder/cli/service_facts.h"

namespace sidrec::cli {

void check_sandbox(Findings& findings, const Service& service);

}  // namespace sidrec::cli
