// Master: this recorder as master of one SID: its lock, its listener, its slaves, the waiting queue, the order, and
// the session's writer. Its own events go straight to the store when it has no slave (S5), else through the order.
//
// Invariants
//  1. It holds the lock of the SID's directory for life. Its end is: connections, listener, path, lock, in that order.
//  2. All work is done in turn(); between turns the poller only notes who has something to say.
//  3. A peer in error is told why, and ends alone.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "recorder/base/unique_fd.h"
#include "recorder/link/master_peer.h"
#include "recorder/link/socket.h"
#include "recorder/main/master_session.h"
#include "recorder/main/orphans.h"
#include "recorder/main/surroundings.h"

namespace sidrec {

class Master {
 public:
  struct Place {
    link::DirectoryLock lock;
    UniqueFd listener;
    std::string socket_path;
  };
  // `wake`: to be called when somebody has said something.
  Master(Surroundings& around, std::string sid, Place place, std::optional<SessionIdentity> known, uint64_t first_ns,
         uint64_t now_ns, std::function<void()> wake);
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;
  ~Master();

  // Whether own events may be put in now.
  bool takes_events() const { return session_.is_open() && !ending_; }
  void append(const EventHeader& header, std::string_view payload, uint64_t now_ns);

  // `needs_room`: our own host may soon run out of it. Then completeness goes before order: own events are not held
  // back for longer than 30 ms, and what others had to say of that time comes late.
  void turn(uint64_t now_ns, bool needs_room);
  std::optional<uint64_t> deadline_ns(uint64_t now_ns) const;

  // While takes_events().
  const SessionIdentity& identity() const { return session_.identity(); }

  // What of our own lane is in the store.
  uint64_t committed(uint32_t lane) const { return committed_[lane]; }
  // Everything that was put in or sent by slaves is in the store.
  bool is_clean() const { return own_frame_.empty() && ordering_.empty() && session_.is_clean(); }
  // It is here to end what others have left long ago, and takes no new connection to it.
  bool only_ends() const { return around_.only_ends && session_.was_over(); }
  // Nothing to do until an event, a peer's word or the deadline.
  bool is_quiet() const;
  // A slave has just sent so much at once that more is on its way.
  bool is_in_flow() const { return in_flow_; }
  // Slaves at work, or about to be, or to come back.
  bool has_slaves() const { return slaves_at_work() > 0 || !absent_.empty(); }
  // The session ends, unless a slave came at the last moment or the store cannot be written now.
  bool end(uint64_t now_ns);

 private:
  struct Peer {
    Peer(link::PeerId id, const std::string& sid, link::MasterParts parts) : link(id, sid, parts) {}
    link::MasterPeer link;
    uint64_t since_ns = 0;
    bool readable = true;
    bool blocked = false;
    bool gone = false;
    UniqueFd socket;
    Poller::Watch watch;
  };

  // A recorder of this session that has ended without a BYE. Its ring is a successor's, who will say HELLO by its name;
  // until then, or until the ring has gone, the session does not end.
  struct Absent {
    uint64_t since_ns;
    uint64_t look_ns;  // when its successor is to be started, again
  };

  size_t slaves_at_work() const;
  Membership membership() const { return {sid_, session_.identity().session, !only_ends()}; }
  bool is_here(const std::string& rec) const;
  void expect(const std::string& rec, uint64_t now_ns, uint64_t patience_ns);
  void look_for_absent(uint64_t now_ns);
  void expect_unheard(uint64_t now_ns);
  bool writes_directly(uint64_t now_ns) const;
  bool is_young(uint64_t now_ns) const;
  void accept_peers(uint64_t now_ns);
  std::string report(uint64_t now_ns) const;
  void hear(Peer& peer, uint64_t now_ns);
  void on_hello(Peer& peer, uint64_t now_ns);
  void drop(Peer& peer, const Error& why);
  void welcome_all(uint64_t now_ns);
  void release(uint64_t now_ns);
  bool must_release_own(uint64_t now_ns) const;
  void commit(uint64_t now_ns);
  void speak(Peer& peer);
  void end_silent_peers(uint64_t now_ns);

  Surroundings& around_;
  std::string sid_;
  std::function<void()> wake_;
  Place place_;
  uint64_t since_ns_;
  link::WaitingQueue queue_;
  link::Ordering ordering_;
  MasterSession session_;
  link::RecMarks* own_marks_;
  std::string own_frame_;
  uint64_t own_moved_ns_ = 0;  // when own events last left the order, or there were none
  bool needs_room_ = false;
  std::array<uint64_t, ring::kMaxLanes> committed_{};
  link::ReceiveBuffer buffer_;
  bool welcomed_ = false;  // the session was open when we last looked
  bool flooded_ = false;   // its first events were many
  bool ending_ = false;
  bool callers_ = true;           // at the listener
  uint64_t accept_again_ns_ = 0;  // out of descriptors until then
  link::PeerId last_peer_ = 0;
  std::map<link::PeerId, std::unique_ptr<Peer>> peers_;
  std::unordered_map<link::Ordering::SourceId, link::RecMarks*> marks_of_;  // of every source there ever was
  std::map<std::string, Absent> absent_;
  bool in_flow_ = false;
  bool troubled_ = false;  // a master or a slave of this session has died: there may be others, unheard
  Poller::Watch listener_watch_;
};

}  // namespace sidrec
