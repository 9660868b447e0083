// The number of a group, without the machine's name service: that may be a daemon, a directory on another machine or
// any library, none of which a host must wait for, or load, on our behalf.
#pragma once

#include <cstdint>

namespace sidrec {

// `name`: a group of /etc/group (group(5)), or a number. False where there is none of that name.
bool find_group(const char* name, uint32_t& gid);

}  // namespace sidrec
