// OpenConnection: a connection that is open by what its trail says, for a recorder that goes on where another has died.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "recorder/event/event.h"

namespace sidrec {

struct OpenFlow {
  std::array<uint64_t, kDirections> offset{};   // bytes told of: when all that is told again was, of the next one
  std::array<uint64_t, kDirections> missing{};  // of those before it, bytes in gaps
};

struct OpenChannel {
  ChanOpen facts{};
  OpenFlow flow;
};

struct OpenConnection {
  uint64_t conn = 0;
  std::string rec;  // that has told of it
  ConnOpen facts{};
  OpenFlow flow;
  std::string user;  // who has logged in
  bool uid_told = false;
  std::map<uint64_t, OpenChannel> channels;
};

// What one ring's recorder had told of when it died.
struct OpenConnections {
  std::vector<OpenConnection> open;       // in the order of their opening
  std::map<uint32_t, uint64_t> in_trail;  // the newest record of each lane

  // Of an event that was kept for the trail, outside the ring.
  void note(const EventView& event);
};

}  // namespace sidrec
