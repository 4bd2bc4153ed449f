#include "learner/step_metrics.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "tests/learner/sample_groups.h"

namespace cohort {
namespace {

std::map<std::string, double> MetricsOf(const StepGroups& taken) {
  MetricsRow row(1, "rl", 1);
  SetGroupMetrics(taken, 0, &row);
  return {row.values().begin(), row.values().end()};
}

// Over all guesses of the step, not over its groups.
TEST(StepMetricsTest, AcceptanceIsThatOfAllGuesses) {
  StepGroups taken;
  taken.groups = {MakeGroup(MakeLease("a")), MakeGroup(MakeLease("b"))};
  taken.lessons.resize(2);
  EXPECT_EQ(MetricsOf(taken).count("rollout/draft_acceptance"), 0u);
  taken.groups[0].set_drafted_tokens(10);
  taken.groups[0].set_accepted_tokens(9);
  taken.groups[1].set_drafted_tokens(30);
  taken.groups[1].set_accepted_tokens(1);
  EXPECT_EQ(MetricsOf(taken).at("rollout/draft_acceptance"), 0.25);
}

}  // namespace
}  // namespace cohort
