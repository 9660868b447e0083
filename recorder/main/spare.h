// Spare: a recorder that has finished waits a while for the next host of the same service, so that a proxy that forks
// for each connection does not pay for the start of a process each time.
//
// A service is a program that was started and all that it has forked (ring::Header::service): what started in one
// control group, with one set of directories and rights. The socket's name is abstract (unix(7)): it is gone with its
// holder. Anybody can have such a name or connect to it; so both sides look at the other's user (SO_PEERCRED), and a
// host that finds nobody, or somebody else, starts a recorder.
//
// Not where the recorder is installed: having given up root, it could open no ring of root's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sidrec {

// The path of the ring of a host that came within `patience_ms`. Nothing when none came, when `signal_fd` became
// readable, or when enough others wait already.
std::optional<std::string> await_next_host(uint64_t service, uint32_t patience_ms, int signal_fd);

}  // namespace sidrec
