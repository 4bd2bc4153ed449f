#include "configs/weight_schedule.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::ElementsAre;

TEST(WeightScheduleTest, AWeightHoldsUntilTheNextStep) {
  RewardsConfig rewards;
  rewards.schedule["format_weight"] = "2: 0.5, 10: 0";
  EXPECT_EQ(WeightAt(rewards, "format_weight", 0.1, 1), 0.1);
  EXPECT_EQ(WeightAt(rewards, "format_weight", 0.1, 2), 0.5);
  EXPECT_EQ(WeightAt(rewards, "format_weight", 0.1, 9), 0.5);
  EXPECT_EQ(WeightAt(rewards, "format_weight", 0.1, 10), 0);
  EXPECT_EQ(WeightAt(rewards, "accuracy_weight", 1, 10), 1);
}

TEST(WeightScheduleTest, StepsRiseAndNothingIsNegative) {
  EXPECT_THAT(
      ParseWeightSteps("0:1,400: 0.5"),
      IsOkAndHolds(ElementsAre(WeightStep{0, 1}, WeightStep{400, 0.5})));
  for (const char* bad : {"", "1", "1:", ":1", "-1: 1", "1: -1", "1: nan",
                          "2: 1, 1: 1", "1: 1,", "1: 1: 1", "a: 1"}) {
    EXPECT_THAT(ParseWeightSteps(bad),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::_))
        << bad;
  }
}

}  // namespace
}  // namespace cohort
