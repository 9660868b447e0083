// MasterSession: the session as its master keeps it: which one it is, its place in the store, and what of each
// recorder is in there already (DESIGN D7, D12). Used by Master, which holds the SID's lock.
//
//   kDeciding ── a peer or we ourselves know the unfinished session ──► kOpen (goes on with it)
//       └── nobody does within one linger: it is ended as recovered ──► kOpen (a new one) ── end() ──► kEnded
//
// Invariants
//  1. Nothing is acknowledged, and no room of the ring freed, before commit() has returned success for it.
//  2. A store that cannot be written (a full disk) loses nothing: what was appended is kept, commit() is tried again
//     every kRetryNs, and meanwhile the master takes no more from its slaves.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "recorder/base/clock.h"
#include "recorder/link/ledger.h"
#include "recorder/main/surroundings.h"
#include "recorder/trail/trail.h"

namespace sidrec {

inline constexpr uint64_t kRetryNs = 500 * kMillisecond;
// So much is gathered before it is written without waiting for the end of the turn.
inline constexpr size_t kCommitBytes = 128 * 1024;

class MasterSession {
 public:
  // `known`: the session of the master that we, its slave, have lost. `first_ns`: of the oldest event waiting.
  MasterSession(Surroundings& around, std::string sid, std::optional<SessionIdentity> known, uint64_t first_ns,
                uint64_t now_ns);

  bool is_open() const { return state_ == State::kOpen; }
  const SessionIdentity& identity() const { return identity_; }
  // What the store holds of it; while is_open().
  const SessionTotals& totals() const { return trail_->totals(); }
  const std::string& file() const { return trail_->file(); }
  link::Ledger& ledger() { return ledger_; }
  // When it was gone on with, nothing had come to it for longer than a session lingers.
  bool was_over() const { return was_over_; }
  // Those that the master before us had with connections open; for who has just gone on with its session.
  std::set<std::string> recorders_at_work() const;

  // A peer has said which session it knows.
  void on_known(const std::optional<SessionIdentity>& known, uint64_t now_ns);
  void on_timer(uint64_t now_ns);
  std::optional<uint64_t> deadline_ns() const;

  // Puts it into the store unless it is there already.
  void write(link::RecMarks& marks, std::string_view rec, const EventView& event, bool late, uint64_t now_ns);
  // True when everything written so far is in the store, and something was since the last time.
  bool commit(uint64_t now_ns);
  bool is_clean() const { return !dirty_; }
  bool is_failing() const { return retry_ns_ != 0; }

  // False when the store cannot be written now: to be called again.
  bool end(uint64_t now_ns);

 private:
  enum class State : uint8_t { kDeciding, kClosed, kOpen, kEnded };

  void begin(uint64_t now_ns);
  void recover(uint64_t now_ns);
  bool resume(const SessionIdentity& identity, uint64_t now_ns);
  bool commit_now(uint64_t now_ns);

  Surroundings& around_;
  std::string sid_;
  State state_ = State::kClosed;
  uint64_t first_ns_;
  std::string unfinished_;  // kDeciding: the session found
  uint64_t decide_ns_ = 0;
  uint64_t begin_ns_ = 0;  // kClosed: when begin() is tried again
  bool was_over_ = false;
  SessionIdentity identity_;
  std::unique_ptr<Trail> trail_;
  link::Ledger ledger_;
  bool dirty_ = false;
  uint64_t retry_ns_ = 0;
};

}  // namespace sidrec
