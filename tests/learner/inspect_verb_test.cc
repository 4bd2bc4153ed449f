#include "learner/inspect_verb.h"

#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "learner/advantage.h"
#include "learner/experience_store.h"
#include "tests/learner/sample_groups.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class InspectTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_.Write("config.yaml",
               "model: {checkpoint: some/folder}\n"
               "learner: {prompts: some.jsonl, advantage: mean}\n"
               "stages:\n"
               "  - {kind: rl, name: rl, steps: 3}\n");
    auto store = ExperienceStore::Open(dir_ / "experience.sqlite");
    COHORT_ASSERT_OK(store);
    for (const std::string id : {"easy", "hard", "cut"}) {
      Group group = MakeGroup(MakeLease(id));
      if (id == "hard") {
        group.mutable_trajectories(0)->mutable_grade()->set_verdict(
            VERDICT_TIMEOUT);
        group.mutable_trajectories(0)->mutable_grade()->set_score(0);
        group.mutable_trajectories(0)->mutable_grade()->set_reason(
            "wall time 5 s");
      }
      if (id == "cut") {
        group.mutable_trajectories(1)->set_text("two\nlines");
        group.mutable_trajectories(1)->set_finish_reason(FINISH_REASON_LENGTH);
      }
      SetRewards({}, &group);
      COHORT_ASSERT_OK((*store)->Append(group));
    }
    const std::vector<std::string> trained = {"rl/easy/0"};
    COHORT_ASSERT_OK((*store)->MarkTrained(trained, 2));
  }

  InspectFlags Flags() {
    InspectFlags flags;
    flags.run_dir = dir_.path();
    return flags;
  }

  TempDir dir_;
};

TEST_F(InspectTest, ShowsPromptGradesRewardsAndAdvantages) {
  InspectFlags flags = Flags();
  flags.step = 2;
  EXPECT_THAT(Inspect(flags),
              IsOkAndHolds(AllOf(
                  HasSubstr("group rl/easy/0  trained at step 2  policy 0"),
                  HasSubstr("prompt  1+1="), HasSubstr("answer  2"),
                  HasSubstr("1.0000   +0.5000 correct"),
                  HasSubstr("0.0000   -0.5000 wrong"),
                  HasSubstr("1 of 1 groups shown"))));
}

TEST_F(InspectTest, PicksByVerdict) {
  InspectFlags flags = Flags();
  flags.verdict = "timeout";
  EXPECT_THAT(Inspect(flags), IsOkAndHolds(AllOf(HasSubstr("rl/hard/0"),
                                                 HasSubstr("wall time 5 s"),
                                                 Not(HasSubstr("rl/easy/0")))));
}

TEST_F(InspectTest, SortsTheLargestFirstAndStopsAtTheLimit) {
  InspectFlags flags = Flags();
  flags.sort = "reward";
  flags.limit = 2;
  EXPECT_THAT(Inspect(flags),
              IsOkAndHolds(AllOf(HasSubstr("rl/easy/0"), HasSubstr("rl/cut/0"),
                                 Not(HasSubstr("rl/hard/0")),
                                 HasSubstr("2 of 3 groups shown"))));
}

TEST_F(InspectTest, SortsByAdvantageAndByMismatch) {
  {
    auto store = ExperienceStore::Open(dir_ / "experience.sqlite");
    COHORT_ASSERT_OK(store);
    // One correct of four: 0.75 above the mean, 0.5 in the groups of two.
    Group four = MakeGroup(MakeLease("four", 0, 4));
    SetRewards({}, &four);
    COHORT_ASSERT_OK((*store)->Append(four));
    const std::vector<double> far = {-1, 0.25};
    const std::vector<double> near = {1e-6, 2e-6};
    COHORT_ASSERT_OK((*store)->NoteMismatches("rl/cut/0", far));
    COHORT_ASSERT_OK((*store)->NoteMismatches("rl/easy/0", near));
  }
  InspectFlags flags = Flags();
  flags.limit = 1;
  flags.sort = "advantage";
  EXPECT_THAT(Inspect(flags),
              IsOkAndHolds(AllOf(HasSubstr("rl/four/0"), HasSubstr("+0.7500"),
                                 Not(HasSubstr("mismatch")))));
  flags.sort = "mismatch";
  EXPECT_THAT(Inspect(flags),
              IsOkAndHolds(AllOf(HasSubstr("rl/cut/0"), HasSubstr("mismatch"),
                                 HasSubstr("2.5e-01"))));
  flags.limit = 2;
  EXPECT_THAT(Inspect(flags), IsOkAndHolds(HasSubstr("rl/easy/0")));
}

TEST_F(InspectTest, OneGroupWithItsSiblings) {
  InspectFlags flags = Flags();
  flags.group = "rl/hard/0";
  EXPECT_THAT(Inspect(flags),
              IsOkAndHolds(AllOf(HasSubstr("rl/hard/0"), HasSubstr("   0 "),
                                 HasSubstr("   1 "),
                                 HasSubstr("1 of 1 groups shown"))));
  flags.group = "rl/none/0";
  EXPECT_THAT(Inspect(flags),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("rl/none/0")));
}

TEST_F(InspectTest, ColoursAreForTerminalsOrAskedFor) {
  dir_.Write("config.yaml",
             "model: {checkpoint: some/folder, tokenizer: bytes}\n"
             "learner: {prompts: some.jsonl, advantage: mean}\n"
             "stages:\n"
             "  - {kind: rl, name: rl, steps: 3}\n");
  Group group = MakeGroup(MakeLease("colours"));
  Trajectory& trajectory = *group.mutable_trajectories(0);
  trajectory.clear_tokens();
  trajectory.clear_sampler_logprobs();
  for (const auto& [token, probability] :
       {std::pair('a', 0.95f), {'b', 0.6f}, {'\n', 0.2f}, {'d', 0.01f}}) {
    trajectory.add_tokens(token);
    trajectory.add_sampler_logprobs(std::log(probability));
  }
  SetRewards({}, &group);
  {
    auto store = ExperienceStore::Open(dir_ / "experience.sqlite");
    COHORT_ASSERT_OK(store);
    COHORT_ASSERT_OK((*store)->Append(group));
  }
  InspectFlags flags = Flags();
  flags.group = "rl/colours/0";
  // A test's output is no terminal.
  EXPECT_THAT(Inspect(flags), IsOkAndHolds(Not(HasSubstr("\x1b["))));
  flags.color = "always";
  EXPECT_THAT(
      Inspect(flags),
      IsOkAndHolds(AllOf(
          HasSubstr("a\x1b[36mb\x1b[0m\x1b[33m\\n\x1b[0m\x1b[31md\x1b[0m"),
          HasSubstr("\x1b[32m  +0.5000\x1b[0m"),
          HasSubstr("\x1b[31m  -0.5000\x1b[0m"),
          HasSubstr("tokens sampled with probability"))));
  flags.color = "never";
  EXPECT_THAT(Inspect(flags), IsOkAndHolds(Not(HasSubstr("\x1b["))));
  flags.color = "mauve";
  EXPECT_THAT(Inspect(flags), StatusIs(absl::StatusCode::kInvalidArgument,
                                       HasSubstr("--color mauve")));
}

TEST_F(InspectTest, ACompletionStaysOnItsLine) {
  EXPECT_THAT(Inspect(Flags()), IsOkAndHolds(HasSubstr("two\\nlines [cut]\n")));
}

TEST_F(InspectTest, WrongCallsAreNamed) {
  InspectFlags flags = Flags();
  flags.sort = "colour";
  EXPECT_THAT(Inspect(flags),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("colour"), HasSubstr("reward"))));
  flags = Flags();
  flags.verdict = "nice";
  EXPECT_THAT(Inspect(flags),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nice")));
  flags = Flags();
  flags.run_dir = dir_ / "none";
  EXPECT_THAT(Inspect(flags),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_EQ(InspectVerb({dir_.path(), "--limit", "-1"}), 2);
  EXPECT_EQ(InspectVerb({}), 2);
}

}  // namespace
}  // namespace cohort
