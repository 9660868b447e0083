#include "recorder/cli/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "recorder/cli/painter.h"
#include "recorder/cli/printable.h"

namespace sidrec::cli {
namespace {

struct Word {
  const char* text;
  std::string_view style;
};

Word word_of(Severity severity) {
  switch (severity) {
    case Severity::kOk: return {"ok", kGreen};
    case Severity::kNote: return {"note", kYellow};
    case Severity::kProblem: break;
  }
  return {"problem", kRed};
}

constexpr size_t kSeverityColumn = 9;  // "problem" and two blanks

std::string padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, columns(text)), ' ');
}

std::string verdict(const Diagnosis& diagnosis, const Painter& paint) {
  const size_t problems = diagnosis.findings.problems();
  if (problems == 0) return paint(kGreen, diagnosis.success);
  const std::string count = problems == 1 ? "1 problem" : std::to_string(problems) + " problems";
  return paint(kRed, "Not recorded, or not wholly: " + count + ".");
}

}  // namespace

std::string readable(const Diagnosis& diagnosis, bool colour) {
  const Painter paint(colour);
  size_t check_column = 0;
  for (const Finding& each : diagnosis.findings.all()) check_column = std::max(check_column, columns(each.check) + 2);
  const std::string margin(kSeverityColumn + check_column, ' ');

  std::string text = paint(kBold, printable(diagnosis.subject)) + "\n";
  for (const Finding& each : diagnosis.findings.all()) {
    const Word word = word_of(each.severity);
    const std::string gap(kSeverityColumn - std::string_view(word.text).size(), ' ');
    text += paint(word.style, word.text) + gap + padded(each.check, check_column) + each.what + "\n";
    for (const std::string& more : {each.why, each.remedy}) {
      if (!more.empty()) text.append(margin).append(more).append("\n");
    }
  }
  return text + verdict(diagnosis, paint) + "\n";
}

std::string json(const Diagnosis& diagnosis) {
  nlohmann::ordered_json findings = nlohmann::ordered_json::array();
  for (const Finding& each : diagnosis.findings.all()) {
    findings.push_back({{"severity", word_of(each.severity).text},
                        {"check", each.check},
                        {"what", each.what},
                        {"why", each.why},
                        {"remedy", each.remedy},
                        {"unit_settings", each.settings}});
  }
  const nlohmann::ordered_json object = {{"target", diagnosis.target},
                                         {"kind", diagnosis.kind},
                                         {"subject", diagnosis.subject},
                                         {"recordable", diagnosis.findings.problems() == 0},
                                         {"findings", findings}};
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sidrec::cli
