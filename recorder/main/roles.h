// Roles: a recorder's roles, one for each SID, and which of them have something to do. A recorder of a thousand
// sessions must not look at each of them in each of its turns.
//
// Invariants
//  1. Who has something to do is awake. A role falls asleep when it says after its turn that it is quiet; an event, a
//     peer's word or its deadline wakes it.
//  2. What a role has in the ring keeps it awake: asleep, it has nothing to lose and needs no turn to make room.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "recorder/main/role.h"
#include "recorder/session/connection_tracker.h"

namespace sidrec {

class Roles {
 public:
  void add(Surroundings& around, OwnerId owner, const std::string& sid, Stored stored);
  // Wakes it: for who has something for it to do.
  Role& at(OwnerId owner);
  // nullptr: it is done, and gone.
  const Role* find(OwnerId owner) const;

  size_t size() const { return parts_.size(); }
  bool empty() const { return parts_.empty(); }
  void wake_all();
  // Turns of those that are awake; who is done by then is gone.
  void turn(uint64_t now_ns, Role::Needs needs, const std::function<void(OwnerId)>& on_done);
  std::optional<uint64_t> deadline_ns(uint64_t now_ns) const;
  void for_each_awake(const std::function<void(const Role&)>& visit) const;
  // The recorder ends without their being done.
  void keep_for_a_successor();

 private:
  struct Part {
    std::unique_ptr<Role> role;
    bool awake = true;
    std::optional<uint64_t> deadline_ns;  // asleep
  };
  void wake(OwnerId owner, Part& part);

  std::unordered_map<OwnerId, Part> parts_;
  std::vector<OwnerId> awake_;
  std::set<std::pair<uint64_t, OwnerId>> asleep_;  // those with a deadline
};

}  // namespace sidrec
