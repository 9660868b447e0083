// Surroundings: what all roles of one recorder share. Outlives them.
#pragma once

#include "recorder/base/settings.h"
#include "recorder/main/journal.h"
#include "recorder/main/log.h"
#include "recorder/main/poller.h"
#include "recorder/main/sealing.h"
#include "recorder/ring/ring_file.h"
#include "recorder/store/storage_engine.h"

namespace sidrec {

struct Surroundings {
  const RingFacts& ring;
  int ring_fd;  // locked: shown to masters
  const Settings& settings;
  Log& log;
  Poller& poller;
  MasterIdentity self;
  Journal& journal;
  Sealing& sealing;
  bool only_ends = false;  // a successor whose host is gone too: it is here for what another one has left
};

}  // namespace sidrec
