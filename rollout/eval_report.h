// What graded completions say about a model: pass@1, pass@k, maj@n.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/types.pb.h"

namespace cohort {

// One task's completions, all graded.
struct TaskResult {
  Group group;
  // One per completion, from GroupEqual: which give the same answer; below 0:
  // none was found. Empty where no vote was taken.
  std::vector<int32_t> classes;
};

struct EvalScores {
  int64_t tasks = 0;
  // Completions without a grade (grader_error, infra_error); they count
  // nowhere, and a task left with fewer than k of them not for pass@k.
  int64_t ungraded = 0;
  double pass_at_1 = 0;             // Mean over tasks of the share correct.
  std::map<int, double> pass_at_k;  // Mean over tasks, unbiased.
  // Share of tasks whose majority answer is correct; NaN where no votes were
  // taken.
  double majority = 0;
  double score_mean = 0;  // Of all grades, partial credit included.
  double completion_tokens_mean = 0;
  double cut_share = 0;  // Completions that the length limit ended.
  std::map<std::string, int64_t> verdicts;
};

// Means over no task at all are NaN. `ks`: each at least 1.
EvalScores ScoreResults(const std::vector<TaskResult>& results,
                        const std::vector<int>& ks);

// {"pass@1": ..., "pass@<k>": ..., "maj@<n>": ..., ...}: one line, NaN as null.
// `settings`: an object whose members come first.
std::string PrintScores(const EvalScores& scores, int n,
                        const std::string& settings);

// {"id", "pass@1", "majority_correct", "completions": [{"text", "verdict", ...
// }]}: one line per task.
std::string PrintSamples(const TaskResult& result);

}  // namespace cohort
