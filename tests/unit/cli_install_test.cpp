// What `sidrec install` does to a machine is done whole or not at all.
#include <gmock/gmock.h>

#include <csignal>

#include "recorder/cli/install/file_step.h"
#include "recorder/cli/install/program.h"
#include "recorder/cli/install/step.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using trail_test::contents;
using trail_test::TempDir;
using trail_test::write_file;

// Notes what happens to it; at its turn it does `act`.
class NotingStep : public Step {
 public:
  NotingStep(std::string name, std::vector<std::string>& notes, std::function<Result<void>()> act = {})
      : name_(std::move(name)), notes_(notes), act_(std::move(act)) {}

  std::string what() const override { return name_; }
  Result<bool> is_done() const override { return false; }
  Result<void> apply() override {
    if (act_) {
      if (auto done = act_(); !done) return done;
    }
    notes_.push_back("+" + name_);
    return {};
  }
  void take_back() override { notes_.push_back("-" + name_); }

 private:
  std::string name_;
  std::vector<std::string>& notes_;
  std::function<Result<void>()> act_;
};

struct Three {
  explicit Three(std::function<Result<void>()> act)
      : one("1", notes), two("2", notes, std::move(act)), three("3", notes) {}
  Result<void> carry_out(Result<void> verdict = {}) {
    return sidrec::cli::carry_out({&one, &two, &three}, [verdict] { return verdict; });
  }
  std::vector<std::string> notes;
  NotingStep one, two, three;
};

TEST(CarryOut, does_each_step_in_its_turn) {
  Three steps({});
  EXPECT_TRUE(steps.carry_out());
  EXPECT_THAT(steps.notes, ElementsAre("+1", "+2", "+3"));
}

TEST(CarryOut, takes_back_what_was_done_before_a_step_that_fails) {
  Three steps([] { return Result<void>(Error{"the disk is full"}); });
  const auto done = steps.carry_out();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "the disk is full; all that was done is taken back");
  EXPECT_THAT(steps.notes, ElementsAre("+1", "-1"));
}

TEST(CarryOut, takes_everything_back_the_last_first_at_a_bad_verdict) {
  Three steps({});
  EXPECT_FALSE(steps.carry_out(Error{"it would not work"}));
  EXPECT_THAT(steps.notes, ElementsAre("+1", "+2", "+3", "-3", "-2", "-1"));
}

TEST(CarryOut, ends_at_an_interruption_and_takes_back_what_was_done) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Three steps([signal] {
      ::raise(signal);
      return Result<void>();
    });
    const auto done = steps.carry_out();
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("interrupted"));
    EXPECT_THAT(steps.notes, ElementsAre("+1", "+2", "-2", "-1"));
  }
}

// -- files

TEST(FileStep, gives_back_the_former_file) {
  const TempDir dir;
  const std::string path = dir / "ours.d/file";
  const auto first = write_our_file(path, "one\n"), second = write_our_file(path, "two\n");
  ASSERT_TRUE(first->apply());
  EXPECT_EQ(contents(path), std::string(kWrittenByUs) + "one\n");
  EXPECT_TRUE(*first->is_done());
  EXPECT_FALSE(*second->is_done());
  ASSERT_TRUE(second->apply());
  second->take_back();
  EXPECT_EQ(contents(path), std::string(kWrittenByUs) + "one\n");
  first->take_back();
  EXPECT_FALSE(std::filesystem::exists(dir / "ours.d"));
}

TEST(FileStep, writes_through_no_link_and_over_no_file_of_others) {
  const TempDir dir;
  write_file(dir / "theirs", "theirs\n");
  std::filesystem::create_symlink(dir / "theirs", dir / "link");
  EXPECT_FALSE(write_our_file(dir / "theirs", "ours\n")->is_done());
  EXPECT_FALSE(write_our_file(dir / "link", "ours\n")->is_done());
  EXPECT_FALSE(make_link(dir / "theirs", "/nowhere")->is_done());
  EXPECT_TRUE(*remove_our_file(dir / "theirs")->is_done());
  EXPECT_TRUE(*remove_link(dir / "theirs")->is_done());
  EXPECT_TRUE(*write_new_file(dir / "theirs", "ours\n")->is_done());
}

TEST(FileStep, removes_a_directory_only_when_it_has_become_empty) {
  const TempDir dir;
  for (const bool with_other : {true, false}) {
    ASSERT_TRUE(write_our_file(dir / "ours.d/file", "")->apply());
    if (with_other) write_file(dir / "ours.d/theirs", "");
    const auto removal = remove_our_file_and_folder(dir / "ours.d/file");
    ASSERT_TRUE(removal->apply());
    EXPECT_EQ(std::filesystem::exists(dir / "ours.d"), with_other);
    removal->take_back();
    EXPECT_TRUE(is_written_by_us(dir / "ours.d/file"));
    std::filesystem::remove_all(dir / "ours.d");
  }
}

// -- programs

TEST(RunProgram, gives_the_code_and_all_that_was_said) {
  const auto outcome = run_program({"sh", "-c", "echo $A; echo err >&2; exit 3"}, std::string("A=x y\0", 6));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->code, 3);
  EXPECT_EQ(outcome->output, "x y\nerr\n");
  EXPECT_EQ(run_program({"sh", "-c", "kill -9 $$"})->code, 128 + SIGKILL);
}

TEST(RunProgram, that_is_not_there_is_an_error_that_names_it) {
  const auto outcome = run_program({"/no/such/program"});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message, "cannot run /no/such/program: No such file or directory");
  EXPECT_THAT(run_tool({"sh", "-c", "echo one; echo two; exit 4"}).error().message, HasSubstr("failed (4): two"));
}

}  // namespace
}  // namespace sidrec::cli
