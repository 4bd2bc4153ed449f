#include "learner/advantage.h"

#include <cmath>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "learner/length_reward.h"
#include "nlohmann/json.hpp"
#include "tests/learner/sample_groups.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(GroupAdvantagesTest, RightAnswerBeatsWrongSiblings) {
  EXPECT_THAT(
      GroupAdvantages({1, 0, 0, 0}, AdvantageNorm::kStd),
      ElementsAre(DoubleNear(1.4997, 1e-4), DoubleNear(-0.4999, 1e-4),
                  DoubleNear(-0.4999, 1e-4), DoubleNear(-0.4999, 1e-4)));
}

// In binary (0.1 + 0.1 + 0.1) / 3 is not 0.1, so the mean alone gives no zero.
TEST(GroupAdvantagesTest, EqualRewardsTeachNothing) {
  EXPECT_THAT(GroupAdvantages({0.1, 0.1, 0.1}, AdvantageNorm::kStd), Each(0.0));
  EXPECT_THAT(GroupAdvantages({0.1, 0.1, 0.1}, AdvantageNorm::kMeanOnly),
              Each(0.0));
}

TEST(GroupAdvantagesTest, MeanOnlyKeepsTheRewardScale) {
  EXPECT_THAT(GroupAdvantages({1, 0}, AdvantageNorm::kMeanOnly),
              ElementsAre(0.5, -0.5));
}

TEST(GroupAdvantagesDeathTest, OneTrajectoryIsNoGroup) {
  EXPECT_DEATH(GroupAdvantages({1}, AdvantageNorm::kStd), "size\\(\\) >= 2");
}

// Source of the rows: NumPy and TRL 1.16.0, see tests/data/README.md. The bound
// is the file's own for float64.
TEST(GroupAdvantagesTest, AgreesWithTrl) {
  std::ifstream file("tests/data/advantages.jsonl");
  std::string line;
  int compared = 0;
  while (std::getline(file, line)) {
    const nlohmann::json row = nlohmann::json::parse(line);
    for (size_t g = 0; g < row["rewards"].size(); ++g) {
      const std::vector<double> rewards = row["rewards"][g];
      if (rewards.size() < 2) continue;
      const std::vector<double> with_std =
          GroupAdvantages(rewards, AdvantageNorm::kStd);
      const std::vector<double> mean_only =
          GroupAdvantages(rewards, AdvantageNorm::kMeanOnly);
      for (size_t i = 0; i < rewards.size(); ++i) {
        const double std_truth = row["adv_ddof1_eps1e_4"][g][i];
        const double mean_truth = row["adv_dr_grpo_mean_only"][g][i];
        // Ours are exact where theirs keep an ulp of the mean.
        if (row["zero_variance_group"][g]) {
          EXPECT_EQ(with_std[i], 0) << row["name"];
          EXPECT_EQ(mean_only[i], 0) << row["name"];
        } else {
          EXPECT_NEAR(with_std[i], std_truth, 1e-12 * (1 + std::abs(std_truth)))
              << row["name"];
          EXPECT_NEAR(mean_only[i], mean_truth,
                      1e-12 * (1 + std::abs(mean_truth)))
              << row["name"];
        }
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 300);
}

TEST(SetRewardsTest, WeighsScoreAndFormat) {
  Group group = MakeGroup(MakeLease("p"));
  RewardRule rule;
  rule.weights = {.accuracy = 1.0, .format = 0.25};
  SetRewards(rule, &group);
  EXPECT_EQ(group.trajectories(0).reward(), 1.25);
  EXPECT_EQ(group.trajectories(1).reward(), 0.25);
}

TEST(SetRewardsTest, LengthIsAPartWithAWeightThatMayChange) {
  StageConfig stage;
  stage.rollout.max_completion_tokens = 4;
  stage.rewards.length_weight = 1;
  stage.rewards.overlong_tokens = 2;
  stage.rewards.schedule["length_weight"] = "10: 0.5";
  Group group = MakeGroup(MakeLease("p"));  // Three tokens each.
  SetRewards(RewardRuleAt(stage, 9), &group);
  EXPECT_EQ(group.trajectories(0).reward(), 0.5);
  EXPECT_EQ(group.trajectories(1).reward(), -0.5);
  SetRewards(RewardRuleAt(stage, 10), &group);
  EXPECT_EQ(group.trajectories(0).reward(), 0.75);
}

TEST(LengthRewardTest, TokensAreCheaperTheMoreEffortIsAskedFor) {
  Prompt prompt;
  RewardsConfig rewards;
  rewards.length = "effort";
  rewards.effort_tokens = 10;
  Trajectory trajectory;
  for (int t = 0; t < 5; ++t) trajectory.add_tokens(t);
  prompt.set_row_json(R"({"effort": 25})");
  EXPECT_DOUBLE_EQ(LengthScore(rewards, 64, prompt, trajectory), -0.5);
  prompt.set_row_json(R"({"effort": 50})");
  EXPECT_DOUBLE_EQ(LengthScore(rewards, 64, prompt, trajectory),
                   -0.5 * std::exp(-1.0));
  for (int t = 0; t < 50; ++t) trajectory.add_tokens(t);
  prompt.set_row_json(R"({"effort": 25})");
  EXPECT_DOUBLE_EQ(LengthScore(rewards, 64, prompt, trajectory), -1);
  for (const char* row : {"", "{}", "7", R"({"effort": "high"})", "{"}) {
    prompt.set_row_json(row);
    EXPECT_EQ(EffortOf(prompt), 100) << row;
  }
}

// Groups of 1, 1, 0, 0 and of 1, 0, 0, 0; three tokens each.
TEST(FinishAdvantagesTest, LooksAtTheWholeStep) {
  std::vector<Group> groups = {MakeGroup(MakeLease("p", 0, 4)),
                               MakeGroup(MakeLease("q", 0, 4))};
  groups[0].mutable_trajectories(1)->mutable_grade()->set_score(1);
  const auto lessons_under = [&](AdvantageNorm norm) {
    std::vector<GroupLesson> lessons;
    for (Group& group : groups) {
      SetRewards({}, &group);
      lessons.push_back(LessonOf(group, norm));
    }
    FinishAdvantages(norm, groups, &lessons);
    return lessons;
  };
  // Three rights of eight: deviation sqrt(8/7 * 15/64) over n - 1.
  const double deviation = std::sqrt(8.0 / 7 * 15.0 / 64) + 1e-4;
  EXPECT_THAT(lessons_under(AdvantageNorm::kStepStd)[1].advantages,
              ElementsAre(DoubleNear(0.75 / deviation, 1e-12),
                          DoubleNear(-0.25 / deviation, 1e-12),
                          DoubleNear(-0.25 / deviation, 1e-12),
                          DoubleNear(-0.25 / deviation, 1e-12)));
  const double whole = std::sqrt(15.0 / 64);
  const auto whitened = lessons_under(AdvantageNorm::kStepTokens);
  EXPECT_NEAR(whitened[0].advantages[0], 0.625 / whole, 1e-12);
  EXPECT_NEAR(whitened[1].advantages[1], -0.375 / whole, 1e-12);
  EXPECT_TRUE(whitened[0].has_spread);
  EXPECT_THAT(
      lessons_under(AdvantageNorm::kLeaveOneOut)[1].advantages,
      ElementsAre(DoubleNear(1, 1e-12), DoubleNear(-1.0 / 3, 1e-12),
                  DoubleNear(-1.0 / 3, 1e-12), DoubleNear(-1.0 / 3, 1e-12)));
}

// A step in which all fare alike teaches nothing; one group that does so among
// others does.
TEST(FinishAdvantagesTest, UnderReinforceAGroupWithoutSpreadTeachesToo) {
  std::vector<Group> groups = {MakeGroup(MakeLease("p")),
                               MakeGroup(MakeLease("q"))};
  groups[0].mutable_trajectories(0)->mutable_grade()->set_score(0);
  std::vector<GroupLesson> lessons;
  for (Group& group : groups) {
    SetRewards({}, &group);
    lessons.push_back(LessonOf(group, AdvantageNorm::kStepTokens));
  }
  EXPECT_FALSE(lessons[0].has_spread);
  FinishAdvantages(AdvantageNorm::kStepTokens, groups, &lessons);
  EXPECT_TRUE(lessons[0].has_spread);
  EXPECT_LT(lessons[0].advantages[0], 0);
}

// A broken grader says nothing about the completion: it is neither wrong nor
// right, and must not move its siblings' mean.
TEST(LessonOfTest, TrajectoriesWithoutAGradeLeaveTheGroup) {
  Group group = MakeGroup(MakeLease("p", 0, 4));
  group.mutable_trajectories(2)->mutable_grade()->set_verdict(
      VERDICT_INFRA_ERROR);
  SetRewards({}, &group);
  const GroupLesson lesson = LessonOf(group, AdvantageNorm::kMeanOnly);
  EXPECT_TRUE(lesson.has_spread);
  EXPECT_THAT(lesson.members, ElementsAre(0, 1, 3));
  EXPECT_THAT(lesson.advantages, ElementsAre(DoubleNear(2.0 / 3, 1e-15),
                                             DoubleNear(-1.0 / 3, 1e-15),
                                             DoubleNear(-1.0 / 3, 1e-15)));
}

TEST(LessonOfTest, OneGradeLeftTeachesNothing) {
  Group group = MakeGroup(MakeLease("p", 0, 2));
  group.mutable_trajectories(1)->mutable_grade()->set_verdict(
      VERDICT_GRADER_ERROR);
  SetRewards({}, &group);
  const GroupLesson lesson = LessonOf(group, AdvantageNorm::kStd);
  EXPECT_FALSE(lesson.has_spread);
  EXPECT_THAT(lesson.advantages, ElementsAre(0));
}

TEST(LessonOfTest, EqualRewardsHaveNoSpread) {
  Group group = MakeGroup(MakeLease("p", 0, 3));
  EXPECT_FALSE(LessonOf(group, AdvantageNorm::kStd).has_spread);
  for (Trajectory& t : *group.mutable_trajectories()) t.clear_grade();
  EXPECT_THAT(LessonOf(group, AdvantageNorm::kStd).members, IsEmpty());
}

TEST(ParseAdvantageNormTest, NamesWhatItDoesNotKnow) {
  EXPECT_THAT(ParseAdvantageNorm("mean"),
              IsOkAndHolds(AdvantageNorm::kMeanOnly));
  EXPECT_THAT(
      ParseAdvantageNorm("median"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'median'")));
}

}  // namespace
}  // namespace cohort
