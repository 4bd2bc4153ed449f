// What a run came to, for machines (summary.json) and for people.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "learner/run_dir.h"

namespace cohort {

// Means over the held-out prompts; NaN where nothing was evaluated.
struct Evaluation {
  double greedy = std::numeric_limits<double>::quiet_NaN();   // Accuracy.
  double sampled = std::numeric_limits<double>::quiet_NaN();  // At T = 1.
  double greedy_tokens = std::numeric_limits<double>::quiet_NaN();
  double sampled_tokens = std::numeric_limits<double>::quiet_NaN();
};

// One held-out prompt, answered greedily before and after.
struct CompletionPair {
  std::string prompt;
  std::string answer;  // The right one.
  std::string before;
  std::string after;
};

struct RunSummary {
  Evaluation before;
  Evaluation after;
  int64_t steps = 0;          // Optimizer steps of all stages.
  int64_t skipped_steps = 0;  // Their gradient was not finite.
  int64_t sampled_tokens = 0;
  int64_t trained_tokens = 0;
  int64_t groups_trained = 0;
  int64_t groups_dropped = 0;
  int64_t service_restarts = 0;
  double wall_s = 0;
  double cpu_s = 0;  // Of all processes.
  double gpu_s = 0;  // Wall time of every GPU held, idle or not.
  // Per hour, in any currency; both 0: nothing is estimated.
  double price_per_cpu_hour = 0;
  double price_per_gpu_hour = 0;
  // Where the wall time went, in the order to print: "sample" -> seconds.
  std::vector<std::pair<std::string, double>> time_s;
  std::string checkpoint;  // The last one's folder.
  std::vector<CompletionPair> completions;
};

// What the run cost by its prices; NaN without any.
double CostEstimate(const RunSummary& summary);

std::string SummaryJson(const RunSummary& summary);
std::string SummaryText(const RunSummary& summary);

// Writes both into the run's folder.
absl::Status WriteSummary(const RunSummary& summary, const RunDir& dir);

}  // namespace cohort
