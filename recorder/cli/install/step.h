// One change that `sidrec install` or `uninstall` makes to the machine, and the list of them as one transaction.
//
// 1. apply() does its change whole or not at all, whenever the process ends.
// 2. take_back() restores what apply() found; it is called for applied steps only, the last first.
// 3. A step that is done already is neither applied nor taken back.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "recorder/base/result.h"

namespace sidrec::cli {

class Step {
 public:
  virtual ~Step() = default;
  virtual std::string what() const = 0;                // "write /etc/tmpfiles.d/sidrec.conf"
  virtual std::string contents() const { return {}; }  // of the file, for a dry run
  virtual Result<bool> is_done() const = 0;            // an error: it cannot be done here
  virtual Result<void> apply() = 0;
  virtual void take_back() = 0;
};

using Steps = std::vector<std::unique_ptr<Step>>;

// Those that are not done yet, each looked at before any of them is applied.
Result<std::vector<Step*>> pending(const Steps& steps);

// On standard output: each, with the contents of its file.
void show(const std::vector<Step*>& steps);

// Applies them in order, says so on standard output, and asks `verdict` at last. At the first error, at Ctrl-C or at a
// verdict that is an error everything is taken back.
Result<void> carry_out(const std::vector<Step*>& steps, const std::function<Result<void>()>& verdict);

}  // namespace sidrec::cli
