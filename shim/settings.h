// What the shim itself must know: where the ring goes, what names the session, how long a hook may wait.
// Read once, in the constructor, from the environment and the file SIDREC_CONFIG names (the environment wins), and
// copied: hosts overwrite the memory of their environment. README.md lists all settings.
#pragma once

#include <cstdint>

#include "shim/ring_layout.h"
#include "shim/text.h"

namespace sidrec {

// What is kept of what a client types at a terminal.
enum Input : uint8_t { kInputMasked = 0, kInputAll = 1, kInputNone = 2 };

struct Settings {
  Text<ring::kMaxTemplate> sid_template;
  Text<ring::kMaxPath> audit_dir;
  Text<ring::kMaxPath> run_dir;
  Text<ring::kMaxPath> rings_dir;  // run_dir/rings
  Text<ring::kMaxPath> config;
  Text<ring::kMaxPath> recorder;  // the recorder program, beside this library
  Text<ring::kMaxProgram> program;
  char env[ring::kMaxEnv];  // NAME=value, NUL between, for {env:NAME}
  uint32_t recorder_uid;    // whose set-user-id program the recorder is; 0: nobody's, it runs as its host does
  uint32_t recorder_gid;
  bool debug;
  Input input;
  const char* sid_source;  // "env", "config" or "default"
  bool strict;             // no audit, no traffic: a connection that cannot be recorded is cut
  bool rescues;            // ... but an ssh login of this group is not
  uint32_t rescue_gid;
  uint32_t patience_ms;  // how long one call may wait for room in its lane
  uint32_t ring_kib;     // of a process that accepts and serves; a forked child that only serves gets an eighth
};

extern Settings g_settings;

// The recorder has a user of its own, and this process, which is not root, no right to what is that user's.
bool is_recorders_stranger();

// True when recording can work; else one line on stderr has said why and what to do.
bool load_settings();

}  // namespace sidrec
