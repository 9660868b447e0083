// Trail: the storage engine that writes one session's JSON-lines file, docs/trail-format.md. For a master only.
//
// Invariants
//  1. One writer: the caller holds the lock of the SID's directory (DESIGN D5) for as long as it uses a Trail.
//  2. Lines are whole and in order: what commit() could not write stays gathered, and the next commit() goes on at
//     the very byte. Only a death in between leaves a torn line; the next master cuts it and says so.
//  3. seq is dense over all masters; ts never falls but on lines that say "late":true, whoever says so first, the
//     caller or the clock.
//  4. Every byte but the last hash is under a seal, when the session has ended; before, all but what the settings
//  allow.
//     A seal follows session.end, in the same write(2): only a torn one leaves an ended trail unsealed, and
//     `sidrec verify` says so.
//  5. `.live` in the SID's directory names the unfinished trail from before its first line until after its last: the
//     segment that is being written.
//  6. A segment that is full ends with a seal and is written no more; only then is the next one made, and then linked.
//
// A trail on a full disk grows in memory: pending_bytes() is what the caller's bound is held against.
// The process must ignore SIGXFSZ, or a file size limit kills it instead of being an error (setrlimit(2)).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "recorder/base/sid_path.h"
#include "recorder/base/unique_fd.h"
#include "recorder/store/storage_engine.h"
#include "recorder/trail/line.h"
#include "recorder/trail/seal.h"
#include "recorder/trail/seal_key.h"
#include "recorder/trail/session_totals.h"

namespace sidrec {

struct TrailScan;

struct TrailSettings {
  uint64_t seal_bytes = 16 * 1024 * 1024;  // a seal is written when so much is under none,
  uint64_t seal_ns = 60'000'000'000;       // or this time after the first of it was committed
  const SealKey* seal_key = nullptr;       // signs the seals; the caller's
  uint64_t segment_bytes = 0;              // a new segment is begun behind a commit that has made one so long; 0: never
  uint64_t segment_ns = 0;                 // or so long after its first commit; 0: never
  uint64_t reserve_bytes = 0;              // of disk space, kept for what is written when there is no more
};

struct UnfinishedTrail {
  std::string file;  // its whole path, of any segment
  std::string session;
  uint64_t quiet_ns;  // since something was written to it
};

class Trail : public StorageEngine {
 public:
  // Touches nothing; begin() or resume() come first.
  Trail(std::string audit_dir, std::string sid, const TrailSettings& settings = {});
  Trail(const Trail&) = delete;
  Trail& operator=(const Trail&) = delete;

  // The trail that `.live` names, if it is there and has no session.end at its end. Takes constant time.
  static std::optional<UnfinishedTrail> find_unfinished(std::string_view audit_dir, std::string_view sid);

  Result<void> begin(const SessionIdentity& identity, const MasterIdentity& master, uint64_t time_ns) override;

  // Reads the whole trail (trail_scan.h says why and what it costs). The new epoch is one above the highest that the
  // trail or `identity` knows. An identity with epoch 0 comes from find_unfinished(), not from a peer: the
  // master.change then says "recovered", else "master gone". Facts without a lane have no watermark: append() itself
  // leaves out those which the trail holds already.
  Result<Watermarks> resume(const SessionIdentity& identity, const MasterIdentity& master, uint64_t time_ns) override;

  void append(std::string_view rec, const EventView& event, bool late) override;
  Result<void> commit(uint64_t now_ns) override;
  std::optional<uint64_t> deadline_ns() const override;
  size_t pending_bytes() const override { return pending_.size(); }
  // No disk space is left but the reserve, and the trail says so: nothing should be appended until a commit() has found
  // room.
  bool is_full() const { return full_; }

  // Closes the connections that are open by its lines, "recovered": nobody is left who could say more of them.
  Result<void> close_left_open(uint64_t time_ns);

  // After an error call it again: the line is not written twice.
  Result<void> end(uint64_t time_ns, std::string_view why) override;

  uint32_t epoch() const { return epoch_; }
  // Those that have connections open, by its lines.
  std::set<std::string> recorders_at_work() const { return totals_.recorders_at_work(); }
  const std::string& file() const { return file_; }  // the present segment's whole path, once begun or resumed
  const SessionTotals& totals() const { return totals_.totals(); }

 private:
  Result<UniqueFd> open_dir() const;
  Result<SegmentName> find_name(int dir, std::string_view session) const;
  Result<void> point_live_at(int dir, const std::string& name) const;
  Result<TrailScan> open_last_segment(const SegmentName& name);
  void forget();
  void start_epoch(const SessionIdentity& identity, uint32_t epoch);
  bool falls_back(uint64_t time_ns);
  uint64_t no_earlier(uint64_t time_ns);
  void cover_pending();
  void seal();
  int lack_of_room();
  void give_back_reserve();
  Result<void> write_pending();
  bool is_segment_full(uint64_t now_ns) const;
  void begin_segment(uint64_t now_ns);

  std::string audit_dir_;
  std::string sid_;
  TrailSettings settings_;
  std::string dir_path_;
  std::string file_;
  SegmentName name_;
  UniqueFd fd_;
  uint64_t segment_bytes_ = 0;                // towards the present segment's length
  std::optional<uint64_t> segment_since_ns_;  // its first commit by us
  uint64_t file_bytes_ = 0;                   // its file's length
  uint64_t allocated_ = 0;                    // disk space of its file, from the begin
  bool full_ = false;
  std::optional<LineWriter> lines_;
  std::string pending_;
  uint64_t seq_ = 0;  // of the last line
  uint32_t epoch_ = 0;
  uint64_t start_wall_ns_ = 0;
  uint64_t latest_wall_us_ = 0;
  TotalsCounter totals_;
  std::set<std::pair<uint64_t, std::string>> laneless_;
  bool end_written_ = false;
  SealChain chain_;
  size_t covered_ = 0;       // how much of pending_ is in it
  uint64_t sealed_seq_ = 0;  // the last seal's
  std::optional<uint64_t> unsealed_since_ns_;
};

}  // namespace sidrec
