// Recorder: one hooked process's recorder, from its ring to its roles. One thread; see watcher.h for the other two.
//
// A turn: hear the link, read the ring, let the roles that are awake work and commit, give room back, sleep. It ends
// when the ring is dead, everything is read and no role is left; it then removes the ring's file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "recorder/main/roles.h"
#include "recorder/main/surroundings.h"
#include "recorder/main/watcher.h"
#include "recorder/ring/outstanding.h"
#include "recorder/ring/ring_reader.h"
#include "recorder/session/connection_tracker.h"
#include "recorder/session/socket_diag.h"

namespace sidrec {

class Recorder : private ConnectionTracker::Sink {
 public:
  Recorder(const RingFile& ring, Surroundings& around);
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder() { ease_timers(false); }  // the next ring's recorder, in the same process, may be a master

  // Goes on where this ring's recorder before us has died; before run().
  void restore();

  // `signal_fd`: a signalfd(2) of the signals that ask for an end.
  Result<void> run(int signal_fd);
  bool was_told_to_end() const { return told_to_end_; }

 private:
  OwnerId owner_of(const std::string& sid) override;
  OwnerId owner_unknown() override;
  void settle(OwnerId unknown, const std::string& sid) override;
  void event(OwnerId owner, const EventHeader& header, std::string_view payload) override;

  OwnerId role_of(OwnerId owner) const;
  Result<void> start_watcher();
  void read_ring();
  void turn_roles();
  void give_room_back();
  bool is_over() const;
  bool gives_up() const;
  int pace_ms() const;
  Result<void> sleep();
  bool announce(uint32_t sleep) const;
  void ease_timers(bool eased);
  int timeout_ms() const;
  void note_signal(int signal_fd);

  const RingFile& ring_;
  Surroundings& around_;
  RingReader reader_;
  SocketDiag diag_;
  ConnectionTracker tracker_;
  Outstanding outstanding_;
  Watcher watcher_;
  OwnerId last_owner_ = kNobody;
  Roles roles_;
  std::unordered_map<OwnerId, OwnerId> settled_;  // owner that was unknown at first → role; kNobody: still unknown
  std::unordered_map<std::string, OwnerId> role_of_sid_;
  std::map<std::string, Stored> stored_;  // of what the recorder before us has left in the ring
  std::set<std::string> left_;            // sessions that are over, while the ring may still hold something of them
  std::unordered_map<OwnerId, std::string> sid_of_role_;

  uint64_t now_ns_ = 0;
  uint64_t last_traffic_ns_ = 0;
  bool dead_ = false;
  bool host_ended_ = false;  // the tracker knows
  bool told_to_end_ = false;
  bool timers_eased_ = false;
  uint64_t ending_since_ns_ = 0;  // told to end, and the host is gone; 0: not so
  Poller::Watch signal_watch_, wake_watch_, death_watch_;
};

}  // namespace sidrec
