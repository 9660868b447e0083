#include "recorder/main/sealing.h"

#include <utility>

#include "recorder/base/clock.h"

namespace sidrec {

TrailSettings Sealing::settings() {
  if (!settings_.seal_key.empty() && !std::exchange(key_was_read_, true)) {
    if (auto key = SealKey::load(settings_.seal_key)) {
      key_.emplace(std::move(*key));
    } else {
      log_.error(key.error().message + "; seals are not signed");
    }
  }
  return {settings_.seal_bytes,    settings_.seal_seconds * kSecond,    key_ ? &*key_ : nullptr,
          settings_.segment_bytes, settings_.segment_seconds * kSecond, settings_.reserve_bytes};
}

}  // namespace sidrec
