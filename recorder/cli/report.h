// How `sidrec doctor` shows what it has found: aligned, coloured on a terminal only; or as one JSON object.
#pragma once

#include <string>

#include "recorder/cli/finding.h"

namespace sidrec::cli {

struct Diagnosis {
  std::string kind;     // "program", "process", "service"
  std::string target;   // as it was named
  std::string subject;  // what it turned out to be: a path, "process 4711, /usr/bin/socat"
  std::string success;  // the last sentence if there is no problem
  Findings findings;
};

std::string readable(const Diagnosis& diagnosis, bool colour);
std::string json(const Diagnosis& diagnosis);

}  // namespace sidrec::cli
