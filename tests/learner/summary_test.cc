#include "learner/summary.h"

#include "configs/math_policy.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunSummary MakeSummary() {
  RunSummary summary;
  summary.before = {.greedy = 0.19, .sampled = 0.23, .greedy_tokens = 6};
  summary.after = {.greedy = 1.0, .sampled = 0.9, .greedy_tokens = 31.5};
  summary.steps = 40;
  summary.sampled_tokens = 316'000;
  summary.wall_s = 50;
  summary.cpu_s = 80.5;
  summary.time_s = {{"sample", 25}, {"update", 20}};
  summary.checkpoint = "runs/chain/checkpoints/step_000040";
  summary.completions = {{.prompt = "7*3 =",
                          .answer = "1",
                          .before = "[]{4}",
                          .after = "[7*3=1]{1}"}};
  return summary;
}

TEST(SummaryTest, MachinesFindTheFixedNames) {
  const nlohmann::json json = nlohmann::json::parse(SummaryJson(MakeSummary()));
  EXPECT_EQ(json["accuracy_before"]["greedy"], 0.19);
  EXPECT_EQ(json["accuracy_before"]["sampled"], 0.23);
  EXPECT_EQ(json["accuracy_after"]["greedy"], 1.0);
  EXPECT_EQ(json["accuracy_after"]["sampled"], 0.9);
  EXPECT_EQ(json["tokens"], 316'000);
  EXPECT_EQ(json["cpu_s"], 80.5);
  EXPECT_EQ(json["wall_s"], 50);
  EXPECT_EQ(json["time_s"]["sample"], 25);
  EXPECT_EQ(json["math_policy_version"], kMathPolicyVersion);
  EXPECT_EQ(json["completions"][0]["after"], "[7*3=1]{1}");
}

TEST(SummaryTest, PeopleSeeBeforeAndAfter) {
  const std::string text = SummaryText(MakeSummary());
  EXPECT_THAT(text, HasSubstr("accuracy, greedy"));
  EXPECT_THAT(text, HasSubstr("0.190      1.000"));
  EXPECT_THAT(text, HasSubstr("sample 25.0 s (50%)"));
  EXPECT_THAT(text, HasSubstr("before  []{4}\nafter   [7*3=1]{1}"));
}

TEST(SummaryTest, HoursAndWhatTheyCost) {
  RunSummary summary = MakeSummary();
  summary.cpu_s = 2 * 3600;
  summary.gpu_s = 1800;
  EXPECT_TRUE(
      nlohmann::json::parse(SummaryJson(summary))["cost_estimate"].is_null());
  EXPECT_THAT(SummaryText(summary), HasSubstr("CPU 2.000 h, GPU 0.500 h\n"));
  summary.price_per_cpu_hour = 0.05;
  summary.price_per_gpu_hour = 2.4;
  const nlohmann::json json = nlohmann::json::parse(SummaryJson(summary));
  EXPECT_EQ(json["cpu_hours"], 2.0);
  EXPECT_EQ(json["gpu_hours"], 0.5);
  EXPECT_DOUBLE_EQ(json["cost_estimate"].get<double>(), 2 * 0.05 + 0.5 * 2.4);
  EXPECT_THAT(SummaryText(summary),
              HasSubstr("CPU 2.000 h, GPU 0.500 h, cost by the config's prices "
                        "1.30\n"));
}

TEST(SummaryTest, WhatWasNotEvaluatedIsNullAndNotPrinted) {
  const RunSummary summary;
  EXPECT_TRUE(
      nlohmann::json::parse(SummaryJson(summary))["accuracy_after"]["greedy"]
          .is_null());
  EXPECT_THAT(SummaryText(summary), Not(HasSubstr("accuracy")));
}

// A length limit may cut a completion inside a character.
TEST(SummaryTest, HalfACharacterDoesNotSpoilTheFile) {
  RunSummary summary = MakeSummary();
  summary.completions[0].after = "caf\xc3";
  EXPECT_EQ(
      nlohmann::json::parse(SummaryJson(summary))["completions"][0]["after"],
      "caf\uFFFD");
}

TEST(SummaryTest, BothFilesAreWritten) {
  TempDir dir;
  const auto run = RunDir::Open(dir / "run", false);
  COHORT_ASSERT_OK(run);
  COHORT_ASSERT_OK(WriteSummary(MakeSummary(), *run));
  EXPECT_EQ(TempDir::Read(run->summary_json()), SummaryJson(MakeSummary()));
  EXPECT_EQ(TempDir::Read(run->summary_text()), SummaryText(MakeSummary()));
}

}  // namespace
}  // namespace cohort
