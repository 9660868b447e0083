// Election: how a recorder becomes master or slave of one SID (S1, S2, S3; DESIGN D5). Pure: it says the next step, the
// recorder's loop does it and reports. One for each SID of a recorder, alive as long as the SID.
//
//   kConnect ── connected ──► kSendHello ── WELCOME ──► kSlave ── end of the connection ──► kConnect
//      │ ▲                        └─ REFUSE, end, no answer ──► kPause ──► kConnect
//      │ └── kPause ◄── backlog full, lock taken, bind failed
//      └── absent, refused ──► kLock ── got ──► kBind ── bound ──► kMaster
//
// Invariants
//  1. Only who holds the lock of the SID's directory binds; it is held as long as the recorder is master. The kernel
//     frees it with its holder, so there are never two masters.
//  2. A full backlog and an unanswered HELLO mean that the master lives: ask again, never steal.
//  3. Every way back to kConnect but the loss of a master that had welcomed us goes through a pause, and pauses are
//     bounded: an election can neither spin nor sleep long.
//  4. At kPause and kConnect the caller holds neither lock nor connection: it drops what it had.
#pragma once

#include <cstdint>
#include <optional>

#include "recorder/base/clock.h"
#include "recorder/link/socket.h"

namespace sidrec::link {

struct ElectionSettings {
  // A first pause as long as a winner needs from its lock to its listen(), with room.
  uint64_t first_pause_ns = 2 * kMillisecond;
  // Pauses double up to the patience of a host that waits for room (D9): no longer without a master than that.
  uint64_t max_pause_ns = 50 * kMillisecond;
  // After a REFUSE, or an error only an administrator can mend: once a second does no harm.
  uint64_t refused_pause_ns = kSecond;
  // More than the linger of a new master that does not know its session yet (D12), so that it can answer in time.
  uint64_t hello_timeout_ns = 5 * kSecond;
};

class Election {
 public:
  enum class Step : uint8_t {
    kNone,       // nothing to do but to wait for on_...; also the answer to a report that fits no step
    kConnect,    // connect_to(socket), then on_connect
    kSendHello,  // send HELLO, then on_welcome, on_refused or on_end
    kLock,       // lock_directory(the SID's directory in the trail store), then on_lock
    kBind,       // listen_at(socket), then on_bind
    kMaster,     // it is master, for the rest of this SID's life here
    kSlave,      // it is slave, until on_refused or on_end
    kPause,      // drop lock and connection; on_timer at deadline_ns()
  };

  explicit Election(ElectionSettings settings = {}) : settings_(settings), pause_ns_(settings.first_pause_ns) {}

  Step start();
  Step on_connect(ConnectResult result, uint64_t now_ns);
  Step on_welcome();
  Step on_refused(uint64_t now_ns);
  // The connection to the master ended: in the middle of a greeting, or it had been our master.
  Step on_end(uint64_t now_ns);
  Step on_lock(bool got, uint64_t now_ns);
  Step on_bind(bool bound, uint64_t now_ns);
  // A slave that has said BYE and was answered is done with this master.
  Step on_bye_ack();
  // To be called at deadline_ns() or later; earlier it does nothing.
  Step on_timer(uint64_t now_ns);

  std::optional<uint64_t> deadline_ns() const { return deadline_ns_; }
  Step step() const { return step_; }

 private:
  Step go(Step step);
  Step pause(uint64_t now_ns);
  Step pause_for(uint64_t pause_ns, uint64_t now_ns);

  ElectionSettings settings_;
  Step step_ = Step::kNone;
  uint64_t pause_ns_;
  std::optional<uint64_t> deadline_ns_;
};

}  // namespace sidrec::link
