// Every target over its checked-in corpus, without a fuzzer: what was found once is not found again. Inputs are named
// by what they were kept for.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/target.h"

namespace sidrec::fuzz {

std::map<std::string, Target>& targets() {
  static std::map<std::string, Target> all;
  return all;
}

namespace {

class Corpus : public testing::TestWithParam<std::string> {};

TEST_P(Corpus, holds_what_every_input_must_leave_true) {
  const Target target = targets().at(GetParam());
  size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SIDREC_CORPUS_DIR "/" + GetParam())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::fprintf(stderr, "%s\n", entry.path().c_str());  // the last one before an abort
    target(Input(bytes));
    // Cut short it is another input, and the same sentences hold.
    for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 16)
      target(Input(std::string_view(bytes).substr(0, size)));
    ++inputs;
  }
  EXPECT_GT(inputs, 0u);
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, target] : targets()) all.push_back(name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Of, Corpus, testing::ValuesIn(names()), [](const auto& name) { return name.param; });

}  // namespace
}  // namespace sidrec::fuzz
