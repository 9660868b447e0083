// What `sidrec doctor` has found out about one target, and whether that target's connections can be recorded.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace sidrec::cli {

enum class Severity {
  kOk,
  kNote,     // recording works, with a limit that one should know
  kProblem,  // recording does not work
};

// Three short sentences. An ok finding has only the first.
struct Finding {
  Severity severity;
  std::string check;  // what was looked at, in a word or two
  std::string what;
  std::string why;     // it matters
  std::string remedy;  // what to do
  // The remedy as lines of a unit's section [Service], where it is one.
  std::vector<std::string> settings = {};
};

class Findings {
 public:
  void ok(std::string check, std::string what) { add({Severity::kOk, std::move(check), std::move(what), {}, {}}); }
  void note(std::string check, std::string what, std::string why, std::string remedy,
            std::vector<std::string> settings = {}) {
    add({Severity::kNote, std::move(check), std::move(what), std::move(why), std::move(remedy), std::move(settings)});
  }
  void problem(std::string check, std::string what, std::string why, std::string remedy,
               std::vector<std::string> settings = {}) {
    add({Severity::kProblem, std::move(check), std::move(what), std::move(why), std::move(remedy),
         std::move(settings)});
  }
  void add(Finding finding) { all_.push_back(std::move(finding)); }

  const std::vector<Finding>& all() const { return all_; }
  size_t problems() const {
    return static_cast<size_t>(std::count_if(all_.begin(), all_.end(),
                                             [](const Finding& each) { return each.severity == Severity::kProblem; }));
  }

 private:
  std::vector<Finding> all_;
};

}  // namespace sidrec::cli
