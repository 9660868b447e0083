// StorageEngine: the scheme's storage engine (DESIGN S5). A master, and only a master, puts its session's events in.
// The JSON-lines trail (recorder/trail/trail.h) is the implementation; the link and the election know nothing of it.
//
// Calls come from one thread. append() only gathers; what commit() has returned success for has been handed to the
// kernel and survives the death of every process.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "recorder/base/result.h"
#include "recorder/event/event.h"

namespace sidrec {

// What every master of a session must agree on. Travels in WELCOME and HELLO.
struct SessionIdentity {
  std::string session;          // UUIDv7
  int64_t clock_offset_ns = 0;  // ts = time_ns + clock_offset_ns
  uint32_t epoch = 0;           // of the last known master
};

struct MasterIdentity {
  std::string rec;  // the master's recorder id
  std::string host;
  std::string program;
  uint32_t pid = 0;
  uint32_t uid = 0;        // as whom it runs
  bool installed = false;  // and whether this user is its own (DESIGN D13)
};

// For each recorder and lane, the highest position that is in the store already: what a successor must not write twice.
using Watermarks = std::map<std::pair<std::string, uint32_t>, uint64_t>;

class StorageEngine {
 public:
  virtual ~StorageEngine() = default;

  // A new session.
  virtual Result<void> begin(const SessionIdentity& identity, const MasterIdentity& master, uint64_t time_ns) = 0;
  // Goes on with the unfinished session `identity.session` as its next master; writes master.change.
  virtual Result<Watermarks> resume(const SessionIdentity& identity, const MasterIdentity& master,
                                    uint64_t time_ns) = 0;

  virtual void append(std::string_view rec, const EventView& event, bool late) = 0;
  virtual Result<void> commit(uint64_t now_ns) = 0;
  // When it has something of its own to write: commit() is to be called then even if nothing was appended. Never for a
  // store that has nothing new.
  virtual std::optional<uint64_t> deadline_ns() const = 0;
  // Bytes gathered by append() and not yet committed.
  virtual size_t pending_bytes() const = 0;

  // session.end, and the session is finished.
  virtual Result<void> end(uint64_t time_ns, std::string_view why) = 0;
};

}  // namespace sidrec
