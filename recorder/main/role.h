// Role: this recorder's part in one SID (DESIGN D8): first nothing, then slave or master, as the election has it. It
// takes the events of the SID's connections and answers for when their room in the ring may be freed.
//
//   events ─► [ Losses ] ─► SlaveFlow ◄─► Spool          while there is no master, or another one
//                              └─ Slave ──► the master
//          ─► Master ─► the trail                        while it is master itself
//
// Invariants
//  1. safe(lane) only grows, and covers only what is committed, or in the spool file, or counted as lost.
//  2. A role that is_done() has nothing left to lose; it is never used again.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/event/open_connection.h"
#include "recorder/link/election.h"
#include "recorder/link/slave_flow.h"
#include "recorder/main/losses.h"
#include "recorder/main/master.h"
#include "recorder/main/slave.h"
#include "recorder/main/spool.h"
#include "recorder/main/stored.h"
#include "recorder/main/surroundings.h"
#include "recorder/trail/open_connections.h"

namespace sidrec {

class Role {
 public:
  // `wake`: to be called when a peer has said something. `stored`: what of the ring's events is in the store already,
  // in sessions that have ended.
  Role(Surroundings& around, std::string sid, std::function<void()> wake, Stored stored);

  void append(const EventHeader& header, std::string_view payload, uint64_t now_ns);

  // Before any event: what this ring's recorder before us had of the SID. `session`: the one it was in, if that goes
  // on; `told`: by its trail; `counts`: what the ring holds no more. What is open after all that was left in the spool.
  std::vector<OpenConnection> restore(const std::optional<SessionIdentity>& session, OpenConnections told,
                                      const CountsLine& counts, uint64_t now_ns);

  bool is_master() const { return master_ != nullptr; }
  bool has_slaves() const { return master_ && master_->has_slaves(); }

  struct Needs {
    bool room;  // the host may soon run out of it: what must wait for a master has to go to the spool
    bool soon;  // and what only awaits its commit too
    bool last;  // the host is gone, and all that it has left is read: no event will come
    bool end;   // the host is gone and the recorder was told to end: no lingering
  };
  // Hears, works, says.
  void turn(uint64_t now_ns, Needs needs);
  std::optional<uint64_t> deadline_ns(uint64_t now_ns) const;
  // Nothing to do until an event, a peer's word or the deadline.
  bool is_quiet() const;
  // More passes over the link than can wait for the next turn that is due anyhow.
  bool is_in_flow() const;

  // The recorder ends without its being done: what is in the spool stays there.
  void keep_for_a_successor() { spool_.keep(); }

  uint64_t safe(uint32_t lane) const { return safe_[lane]; }
  bool is_done() const { return done_; }

 private:
  using Marks = std::array<uint64_t, ring::kMaxLanes>;
  using Step = link::Election::Step;

  void follow(Step step, uint64_t now_ns);
  Step connect(uint64_t now_ns);
  Step lock(uint64_t now_ns);
  Step bind(uint64_t now_ns);
  void become_master(uint64_t now_ns);
  void complain(const Error& error);
  void know(const SessionIdentity& session);
  void know_own_session();
  void leave_out_what_is_stored();
  void look_into_lost_session();
  bool leaves_it_to_a_successor();

  Slave::News hear_master(uint64_t now_ns);
  void turn_slave(uint64_t now_ns);
  void on_master_gone(Step next, uint64_t now_ns);
  void leave_or_start_again(uint64_t now_ns);
  bool session_is_orphaned() const;
  uint64_t linger_ns() const;
  void turn_master(uint64_t now_ns, bool leaving);
  void hand_to_master(std::string_view events, uint64_t now_ns);
  void hand_over_everything(uint64_t now_ns);

  void keep(const EventHeader& header, std::string_view payload);
  void append_to_flow(const EventHeader& header, std::string_view payload);
  bool is_stalled(uint64_t now_ns) const;
  bool is_full() const { return spool_.bytes() >= around_.settings.spool_bytes; }
  bool must_lose(uint64_t now_ns) const;
  std::optional<uint64_t> spool_deadline_ns(uint64_t now_ns) const;
  bool must_spool(uint64_t now_ns) const;
  void spool(uint64_t now_ns);
  void refill_from_spool(uint64_t now_ns);
  bool put_in_spool();
  void end_spooling();
  bool has_written_spool() const;
  bool is_idle() const;
  bool has_sent_all() const;

  Surroundings& around_;
  std::string sid_;
  std::function<void()> wake_;
  link::Election election_;
  link::SlaveFlow flow_;
  Spool spool_;
  Losses losses_;
  std::optional<SessionIdentity> known_;
  Stored stored_;
  bool in_doubt_ = false;  // a master was lost that may have written what it has not acknowledged
  link::DirectoryLock lock_;
  UniqueFd connection_;
  std::unique_ptr<Slave> slave_;
  std::unique_ptr<Master> master_;

  size_t connections_ = 0;
  Marks given_{}, safe_{};
  Marks spooled_{};            // all up to here is committed or in the spool
  uint64_t behind_ = 0;        // bytes appended behind the spool, in no file yet
  bool losing_ = false;        // the spool is full, and the master stands still
  bool spool_broken_ = false;  // could not be written: complained about once
  uint64_t progress_ns_ = 0;   // when something was last committed, or nothing was left to be
  std::optional<uint64_t> idle_since_ns_;
  std::string complaint_;
  Needs needs_{};
  bool started_ = false;
  bool gave_way_ = false;  // to the end of a session that others have left: once
  bool done_ = false;
};

}  // namespace sidrec
