// The recorder beside the library, and as whom it runs: installed, it is set-user-id to a user of its own
// (docs/decisions/0010).
#pragma once

#include <string>

#include "recorder/cli/identity.h"

namespace sidrec::cli {

struct RecorderFile {
  std::string path;
  bool is_installed = false;  // set-user-id to somebody who is not root
  Identity user;              // if so: whom it becomes, and the group of those who may start it

  // `root`: prefix under which it is looked at.
  static RecorderFile beside(const std::string& library, const std::string& root = {});

  std::string folder() const { return path.substr(0, path.rfind('/')); }
  // It makes rings for `starter`, and believes no setting of his.
  bool serves_a_stranger(const Identity& starter) const { return is_installed && starter.uid != 0; }
};

}  // namespace sidrec::cli
