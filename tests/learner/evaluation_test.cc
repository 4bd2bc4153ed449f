#include "learner/evaluation.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/learner/scripted_worker.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

class EvaluationTest : public testing::Test {
 protected:
  void SetUp() override {
    auto store = ExperienceStore::Open(dir_ / "store.sqlite");
    COHORT_ASSERT_OK(store);
    store_ = *std::move(store);
    worker_ = std::make_unique<ScriptedWorker>(&book_, store_.get());
  }
  void TearDown() override { book_.Finish(); }

  Evaluator MakeEvaluator(int prompts, int limit, int samples) {
    PromptSet set;
    set.file = "held.jsonl";
    for (int i = 0; i < prompts; ++i) {
      Prompt& prompt = set.prompts.emplace_back();
      prompt.set_id("h" + std::to_string(i));
      prompt.set_verifier(i % 2 == 0 ? "chain" : "math");
      prompt.add_tokens(3);
    }
    LearnerConfig config;
    config.eval_limit = limit;
    config.eval_samples = samples;
    Sampling sampling;
    sampling.set_max_completion_tokens(8);
    sampling.set_temperature(0.7);
    return Evaluator({set}, config, "rl", sampling, store_.get(), &book_);
  }

  TempDir dir_;
  std::unique_ptr<ExperienceStore> store_;
  LeaseBook book_{absl::Minutes(1)};
  std::unique_ptr<ScriptedWorker> worker_;
};

TEST_F(EvaluationTest, ScoresAreMeansOverTheStoredGroups) {
  const auto result = MakeEvaluator(9, 8, 3).Run(5, 5, {});
  COHORT_ASSERT_OK(result);
  double greedy = 0, sampled = 0;
  int greedy_groups = 0, sampled_groups = 0;
  const auto rows = store_->List({});
  COHORT_ASSERT_OK(rows);
  for (const GroupRow& row : *rows) {
    EXPECT_EQ(row.occurrence, 5);
    const auto group = store_->Load({row.group_id});
    COHORT_ASSERT_OK(group);
    EXPECT_TRUE(group->front().eval());
    double sum = 0;
    for (const Trajectory& t : group->front().trajectories()) {
      sum += t.grade().score();
    }
    if (row.stage == "rl-eval-greedy") {
      greedy += sum / 8;
      ++greedy_groups;
      EXPECT_EQ(group->front().trajectories_size(), 1);
    } else {
      EXPECT_EQ(row.stage, "rl-eval-sampled");
      sampled += sum / 24;
      ++sampled_groups;
      EXPECT_EQ(group->front().trajectories_size(), 3);
    }
  }
  EXPECT_EQ(greedy_groups, 8);  // eval_limit
  EXPECT_EQ(sampled_groups, 8);
  EXPECT_DOUBLE_EQ(result->overall.greedy, greedy);
  EXPECT_DOUBLE_EQ(result->overall.sampled, sampled);
  ASSERT_EQ(result->tasks.size(), 2);
  EXPECT_EQ(result->tasks[0].task, "chain");
  EXPECT_DOUBLE_EQ((result->tasks[0].greedy + result->tasks[1].greedy) / 2,
                   greedy);
  EXPECT_EQ(result->examples.size(), 3);
}

TEST_F(EvaluationTest, EvaluationGroupsAreNeverTrainedOn) {
  COHORT_ASSERT_OK(MakeEvaluator(2, 0, 1).Run(1, 1, {}));
  EXPECT_THAT(store_->MarkTrained({"rl-eval-greedy/h0/1"}, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, testing::_));
}

TEST_F(EvaluationTest, WhatIsStoredIsNotSampledAgain) {
  Evaluator evaluator = MakeEvaluator(3, 0, 1);
  const auto first = evaluator.Run(1, 1, {});
  COHORT_ASSERT_OK(first);
  worker_.reset();  // Nobody samples any more.
  const auto again = evaluator.Run(1, 1, {});
  COHORT_ASSERT_OK(again);
  EXPECT_EQ(first->overall.sampled, again->overall.sampled);
}

}  // namespace
}  // namespace cohort
