// Sealing: how this recorder's trails are sealed, and cut into segments: by the settings, and with the key they name.
// The key is read when the first trail is begun or taken over, so that a recorder which is never master does without.
#pragma once

#include <optional>

#include "recorder/base/settings.h"
#include "recorder/main/log.h"
#include "recorder/trail/trail.h"

namespace sidrec {

class Sealing {
 public:
  Sealing(const Settings& settings, Log& log) : settings_(settings), log_(log) {}

  // A key that cannot be used is complained about once: seals are then not signed.
  TrailSettings settings();

 private:
  const Settings& settings_;
  Log& log_;
  bool key_was_read_ = false;
  std::optional<SealKey> key_;
};

}  // namespace sidrec
