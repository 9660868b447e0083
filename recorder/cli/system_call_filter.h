// Would a service's seccomp filters let the library and its recorder live? The recorder inherits them from the service:
// one call outside of SystemCallFilter= ends it (systemd.exec(5)).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sidrec::cli {

// The system calls that library and recorder make and that these assignments of SystemCallFilter= deny, in order.
// `changes_user`: the recorder is started by root and becomes a user of its own.
std::vector<std::string> denied_calls(const std::vector<std::string>& assignments, bool changes_user = false);

// Is its failure harmless, where the filter lets it fail instead of killing?
bool is_dispensable(std::string_view call);

// By the assignments of RestrictAddressFamilies=.
bool allows_family(const std::vector<std::string>& assignments, std::string_view family);

}  // namespace sidrec::cli
