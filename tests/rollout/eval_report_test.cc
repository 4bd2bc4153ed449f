#include "rollout/eval_report.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cohort {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using Json = nlohmann::json;

TaskResult Result(const std::vector<Verdict>& verdicts,
                  std::vector<int32_t> classes = {}) {
  TaskResult result;
  result.group.mutable_prompt()->set_id("p");
  for (const Verdict verdict : verdicts) {
    Trajectory* const trajectory = result.group.add_trajectories();
    trajectory->add_tokens(1);
    trajectory->set_text("42");
    trajectory->set_finish_reason(FINISH_REASON_STOP);
    trajectory->mutable_grade()->set_verdict(verdict);
    trajectory->mutable_grade()->set_score(verdict == VERDICT_CORRECT ? 1 : 0);
  }
  result.classes = std::move(classes);
  return result;
}

constexpr Verdict kRight = VERDICT_CORRECT;
constexpr Verdict kWrong = VERDICT_WRONG;

// By hand: of 4 with 2 correct, C(2,2)/C(4,2) = 1/6 of the pairs fail; of 4
// with 1 correct, C(3,2)/C(4,2) = 1/2.
TEST(ScoreResultsTest, MeansAreOverTasks) {
  const EvalScores scores =
      ScoreResults({Result({kRight, kRight, kWrong, kWrong}),
                    Result({kRight, kWrong, kWrong, kWrong})},
                   {2, 4});
  EXPECT_DOUBLE_EQ(scores.pass_at_1, (0.5 + 0.25) / 2);
  EXPECT_DOUBLE_EQ(scores.pass_at_k.at(2), (5.0 / 6 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(scores.pass_at_k.at(4), 1);
  EXPECT_THAT(scores.verdicts,
              ElementsAre(Pair("correct", 3), Pair("wrong", 5)));
  EXPECT_TRUE(std::isnan(scores.majority));
}

TEST(ScoreResultsTest, WhatHasNoGradeCountsNowhere) {
  const EvalScores scores =
      ScoreResults({Result({kRight, VERDICT_INFRA_ERROR}),
                    Result({VERDICT_GRADER_ERROR, VERDICT_INFRA_ERROR})},
                   {1, 2});
  EXPECT_EQ(scores.ungraded, 3);
  EXPECT_DOUBLE_EQ(scores.pass_at_1, 1);
  EXPECT_TRUE(std::isnan(scores.pass_at_k.at(2)));
}

// The single right answer loses to two that are equally wrong, and a minority
// of wrong ones loses to two right ones.
TEST(ScoreResultsTest, TheMajoritysAnswerCounts) {
  const EvalScores scores =
      ScoreResults({Result({kWrong, kRight, kWrong}, {0, 1, 0}),
                    Result({kWrong, kRight, kRight}, {0, 1, 1}),
                    Result({kWrong, kWrong, kWrong}, {-1, -1, -1})},
                   {1});
  EXPECT_DOUBLE_EQ(scores.majority, 1.0 / 3);
}

TEST(PrintScoresTest, IsOneObjectWithNullWhereNothingWasMeasured) {
  const std::string line = PrintScores(
      ScoreResults({Result({kRight, kWrong})}, {1, 2}), 2, R"({"seed":7})");
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Json json = Json::parse(line);
  EXPECT_EQ(json["seed"], 7);
  EXPECT_EQ(json["pass@1"], 0.5);
  EXPECT_EQ(json["pass@2"], 1.0);
  EXPECT_TRUE(json["maj@2"].is_null());
}

TEST(PrintSamplesTest, ATextThatIsNotUtf8IsStillJson) {
  TaskResult result = Result({kRight});
  result.group.mutable_trajectories(0)->set_text("\xff");
  const Json json = Json::parse(PrintSamples(result));
  EXPECT_EQ(json["completions"][0]["text"], "\xef\xbf\xbd");
  EXPECT_EQ(json["completions"][0]["verdict"], "correct");
}

}  // namespace
}  // namespace cohort
