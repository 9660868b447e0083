// Orphans: rings whose recorder has died and that nobody has gone on with, and the start of a successor.
//
// A successor is an ordinary recorder, started on the ring's path; of several that are started one gets the ring's
// lock, the others end at once. It must find its executable where ours is, and may use the ring: the user is the same.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sidrec {

// Their paths. Those of `sid`, by their journals; of dead hosts also those whose journal says nothing, 10 s after
// they were made. Of a living host such a ring is none of that SID: its recorder is on its way, or the host starts
// another one.
std::vector<std::string> find_orphans(const std::string& run_dir, std::string_view sid);
// Those whose recorder, dead, alive or on its way, is of that session of `sid`, or has died before it knew its session.
// `takes_more`: or does not know it yet.
struct Membership {
  std::string sid;
  std::string session;
  bool takes_more;
};
bool is_member(const std::string& ring, const Membership& of);
std::vector<std::string> find_members(const std::string& run_dir, const Membership& of);
// Whatever their SID and their host: a living one that says nothing does not notice that its recorder has died.
struct Orphan {
  std::string ring;
  bool host_lives;
};
std::vector<Orphan> find_orphans(const std::string& run_dir);
bool has_recorder(const std::string& ring);

std::string ring_path(const std::string& run_dir, const std::string& ring_id);

// Where it has no recorder. False when there is no such ring, or no process can be had.
bool start_successor(const std::string& ring_path);

}  // namespace sidrec
