// The trail store as a reader sees it: which trails there are, and whether somebody writes one. Never writes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/result.h"

namespace sidrec {

// A trail by its first segment.
struct TrailFile {
  std::string dir;  // the SID's directory
  std::string name;
  std::string session;

  std::string path() const { return dir + "/" + name; }
};

// Oldest first. Empty, not an error, where the directory is not there; files that are no trails are passed over.
Result<std::vector<TrailFile>> trails_of_sid(const std::string& audit_dir, std::string_view sid);
Result<std::vector<TrailFile>> trails_of_store(const std::string& audit_dir);

// By its path alone; no session where that is no trail's name.
TrailFile trail_file(const std::string& path);

// A master holds the lock of the SID's directory, which its sign shows (recorder/link/socket.h), and `.live` names a
// segment of this trail.
bool is_live(const TrailFile& trail);

}  // namespace sidrec
