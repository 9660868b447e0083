// Surroundings: what all roles of one recorder share. Outlives them.
#pragma once

#include "recorder/base/settings.h"
#include "recorder/main/log.h"
#include "recorder/main/poller.h"
#include "recorder/ring/ring_file.h"
#include "recorder/store/storage_engine.h"

namespace sidrec {

struct Surroundings {
  const RingFacts& ring;
  const Settings& settings;
  Log& log;
  Poller& poller;
  MasterIdentity self;
};

}  // namespace sidrec
