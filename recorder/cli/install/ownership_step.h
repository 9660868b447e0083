// The user that installed recorders run as (docs/decisions/0010), and what must be its own.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "recorder/cli/install/step.h"

namespace sidrec::cli {

inline constexpr const char* kUser = "sidrec";  // and its group

std::unique_ptr<Step> make_user();
// Only one that make_user made.
std::unique_ptr<Step> remove_user();

// For the user, of `group`, or of the user's own where there is no such group. One that is there already is taken over
// if it holds nothing: what others have put in there is theirs to hand over.
std::unique_ptr<Step> make_directory(const std::string& path, const std::string& group, mode_t mode);
std::unique_ptr<Step> remove_directory(const std::string& path);

// The recorder becomes the user whoever starts it, and may be started by its group.
std::unique_ptr<Step> give_to_user(const std::string& program);
std::unique_ptr<Step> give_to_root(const std::string& program);

}  // namespace sidrec::cli
