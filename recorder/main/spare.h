// Spare: a recorder that has finished waits a while for the next host of the same service, so that a proxy that forks
// for each connection does not pay for the start of a process each time.
//
// A service is a program that was started and all that it has forked (ring::Header::service): what started in one
// control group, with one set of directories and rights. The socket's name is abstract (unix(7)): it is gone with its
// holder. Anybody can have such a name or connect to it; so both sides look at the other's user (SO_PEERCRED), and a
// host that finds nobody, or somebody else, starts a recorder. The hosts' user is in the name: an installed recorder
// that somebody else had started cannot stand in the way.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "recorder/base/unique_fd.h"

namespace sidrec {

struct NextHost {
  std::string ring;  // the path of its ring; or, where it may make none, what it needs: "lanes lane_bytes"
  UniqueFd socket;   // then leads to it
};

struct HostsToCome {
  uint64_t service;
  uid_t user;
  bool make_rings;  // themselves
};

// One that came within `patience_ms`. Nothing when none came, when `signal_fd` became readable, or when enough others
// wait already.
std::optional<NextHost> await_next_host(const HostsToCome& hosts, uint32_t patience_ms, int signal_fd);

}  // namespace sidrec
