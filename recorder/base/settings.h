// Settings: what an administrator may set for the recorder, from the JSON file whose path is in the ring's header
// (SIDREC_CONFIG). One flat object; keys that are the shim's (sid, patience_ms, ring_kib, input, overload,
// rescue_group) are passed over. What is missing, of another type or out of its limits keeps its default, with a
// complaint to be logged: a mistake in a file must never stop a recording.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recorder/base/result.h"

namespace sidrec {

enum class Fold : uint8_t { kNone, kTransfers, kAll };  // transfers: sftp and scp; all: everything but terminals

struct Settings {
  // After this time a slave that was told to wait asks again (S6). 1 to 600,000.
  uint32_t retry_ms = 10'000;
  // The bound of a master's waiting queue: what its slaves may have in it. 128 KiB (one largest frame) to 1 GiB.
  uint64_t queue_bytes = 16 * 1024 * 1024;
  // So long a session waits for a next connection before it ends. 0 to 600,000.
  uint32_t linger_ms = 1000;
  // So long a recorder that has finished waits for another host of its service. 0 to 600,000.
  uint32_t spare_ms = 10'000;
  // So long a master with slaves holds back an event in case an older one comes. 0 to 500.
  uint32_t order_window_ms = 20;
  // The bound of one SID's spool file, for the time it must wait for its master. 0 to 64 GiB; with 0 there is none.
  uint64_t spool_bytes = 64 * 1024 * 1024;
  // What of a bulk transfer is kept: all, or its first and last 64 KiB with its length and hash.
  Fold fold = Fold::kTransfers;
  // A seal is written into a trail when so much of it is under none, or so long after the first of that was written.
  // 4 KiB to 64 GiB, 1 to 86,400.
  uint64_t seal_bytes = 16 * 1024 * 1024;
  uint32_t seal_seconds = 60;
  // Absolute: the private Ed25519 key that signs the seals. Empty: they are not signed.
  std::string seal_key;
  // A trail goes on in a new file when the present one is so long, or so old. 0: never. 64 KiB to 1 TiB, 1 to
  // 31,622,400.
  uint64_t segment_bytes = 0;
  uint32_t segment_seconds = 0;
  // Disk space that a trail keeps free behind itself, for what it must still say when there is no more. 0 to 1 GiB.
  uint64_t reserve_bytes = 256 * 1024;
  // Whether `sidrec prune` compresses what is written no more.
  bool compress = false;
  // Absolute. Used by a recorder that does not believe its host (DESIGN D13); else the shim, which knows more, has
  // them.
  std::string audit_dir = "/var/log/sidrec";
  std::string run_dir = "/run/sidrec";

  bool operator==(const Settings&) const = default;
};

struct LoadedSettings {
  Settings settings;
  std::vector<std::string> complaints;  // one sentence each
};

// The settings that hold for whoever starts an installed recorder, from `folder`, its program's: the file's path, ""
// where there is none. An error when anybody but root could have written it, or put it there.
Result<std::string> installed_settings_path(const std::string& folder);

// An empty path: the defaults.
LoadedSettings load_settings(const std::string& path);
LoadedSettings settings_from_json(const std::string& text, const std::string& name);

}  // namespace sidrec
