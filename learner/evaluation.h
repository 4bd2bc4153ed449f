// How good a policy is on held-out prompts: greedy, and at temperature 1.
// Evaluation groups travel as all others do; they are stored, and never trained
// on.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/experience_store.h"
#include "learner/lease_book.h"
#include "learner/metrics.h"
#include "learner/prompt_source.h"
#include "learner/summary.h"
#include "proto/learner.pb.h"

namespace cohort {

// Means over one task's prompts. A task is what a prompt's `source` says, its
// verifier where it says nothing.
struct TaskScore {
  std::string task;
  double greedy = 0;
  double pass_at_1 = 0;  // Of all samples; NaN where none were asked for.
};

struct EvaluationResult {
  Evaluation overall;
  std::vector<TaskScore> tasks;  // By name.
  int64_t sampled_tokens = 0;
  // The first prompts' greedy completions; the text goes to `after`.
  std::vector<CompletionPair> examples;
};

// Notes a stage's first evaluation; of several stages the earliest counts.
void RecordBefore(const EvaluationResult& result, RunSummary* totals);

// Notes a later one, and sets eval/* in `row`.
void RecordAfter(const EvaluationResult& result, MetricsRow* row,
                 RunSummary* totals);

// Single-threaded.
class Evaluator {
 public:
  // `sampling` is the stage's; temperature, group size and filters are the
  // evaluation's own. At most config.eval_limit of the prompts are asked.
  Evaluator(std::vector<PromptSet> sets, const LearnerConfig& config,
            std::string stage, Sampling sampling, ExperienceStore* store,
            LeaseBook* book);

  bool empty() const { return prompts_.empty(); }

  // Samples and scores every prompt under the policy of step `step`.
  //   kCancelled  `stop` was requested
  absl::StatusOr<EvaluationResult> Run(int64_t step, int64_t policy_version,
                                       const std::stop_token& stop);

 private:
  std::vector<PlannedGroup> Plan(const std::string& suffix,
                                 const Sampling& sampling, int64_t step,
                                 int64_t policy_version) const;

  std::vector<Prompt> prompts_;
  const std::string stage_;
  const int samples_;
  const Sampling sampling_;
  ExperienceStore* const store_;
  LeaseBook* const book_;
};

}  // namespace cohort
