// Recovery: the end of what was left when everybody who recorded it has died: rings go into their trails, by
// successors, and trails without an end get one. What `sidrec recover` does, with the recorder's own rights.
#pragma once

#include <string>

#include "recorder/main/sealing.h"
#include "recorder/store/storage_engine.h"

namespace sidrec {

struct RecoveryDirs {
  std::string run_dir;
  std::string audit_dir;
};

// Says on standard output what it did, on standard error what it could not do: then it returns false. What somebody
// records at the moment is let alone. Bounded: a ring that nobody could finish within a minute is left and named.
bool recover(const RecoveryDirs& dirs, const MasterIdentity& self, Sealing& sealing);

}  // namespace sidrec
