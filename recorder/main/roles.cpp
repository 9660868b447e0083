#include "recorder/main/roles.h"

namespace sidrec {

void Roles::add(Surroundings& around, OwnerId owner, const std::string& sid, Stored stored) {
  const auto wake_it = [this, owner] { wake(owner, parts_.at(owner)); };
  parts_.emplace(owner, Part{std::make_unique<Role>(around, sid, wake_it, std::move(stored)), true, {}});
  awake_.push_back(owner);
}

Role& Roles::at(OwnerId owner) {
  Part& part = parts_.at(owner);
  wake(owner, part);
  return *part.role;
}

const Role* Roles::find(OwnerId owner) const {
  const auto part = parts_.find(owner);
  return part == parts_.end() ? nullptr : part->second.role.get();
}

void Roles::wake(OwnerId owner, Part& part) {
  if (part.awake) return;
  part.awake = true;
  if (part.deadline_ns) asleep_.erase({*part.deadline_ns, owner});
  awake_.push_back(owner);
}

void Roles::wake_all() {
  for (auto& [owner, part] : parts_) wake(owner, part);
}

void Roles::turn(uint64_t now_ns, Role::Needs needs, const std::function<void(OwnerId)>& on_done) {
  while (!asleep_.empty() && asleep_.begin()->first <= now_ns) {
    const OwnerId owner = asleep_.begin()->second;
    wake(owner, parts_.at(owner));
  }
  const std::vector<OwnerId> turning = std::exchange(awake_, {});
  for (const OwnerId owner : turning) {
    Part& part = parts_.at(owner);
    part.role->turn(now_ns, needs);
    if (part.role->is_done()) {
      on_done(owner);
      parts_.erase(owner);
    } else if (part.role->is_quiet()) {
      part.awake = false;
      part.deadline_ns = part.role->deadline_ns(now_ns);
      if (part.deadline_ns) asleep_.emplace(*part.deadline_ns, owner);
    } else {
      awake_.push_back(owner);
    }
  }
}

std::optional<uint64_t> Roles::deadline_ns(uint64_t now_ns) const {
  std::optional<uint64_t> soonest;
  if (!asleep_.empty()) soonest = asleep_.begin()->first;
  for_each_awake([&](const Role& role) { sooner(soonest, role.deadline_ns(now_ns)); });
  return soonest;
}

void Roles::for_each_awake(const std::function<void(const Role&)>& visit) const {
  for (const OwnerId owner : awake_) visit(*parts_.at(owner).role);
}

void Roles::keep_for_a_successor() {
  for (auto& [owner, part] : parts_) part.role->keep_for_a_successor();
}

}  // namespace sidrec
