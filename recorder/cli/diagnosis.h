// The three things that `sidrec doctor` can look at.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/cli/report.h"
#include "recorder/cli/service_facts.h"
#include "recorder/cli/store_location.h"

namespace sidrec::cli {

// A program as `sidrec run` would start it: `path` of its file, and its arguments.
Result<Diagnosis> diagnose_program(const std::string& path, const std::vector<std::string>& arguments,
                                   const StoreOptions& options);
Result<Diagnosis> diagnose_process(pid_t pid, const StoreOptions& options);
Result<Diagnosis> diagnose_service(const std::string& name, const std::vector<std::string>& unit_dirs,
                                   const StoreOptions& options);

// Of the service as its unit makes it, whether it runs or not.
Findings findings_of_service(const Service& service);

// Parts that they share.

// Can it be preloaded at all, and what of its contents bears on its recording?
void check_program_file(Findings& findings, const std::string& path, const std::vector<std::string>& arguments);
// Of a file that is known to be a native program. `shows_io_uring`: a running process has been asked about that.
void check_program_contents(Findings& findings, const std::string& path, bool shows_io_uring);

}  // namespace sidrec::cli
