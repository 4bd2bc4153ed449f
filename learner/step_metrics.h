// The numbers of one reinforcement learning step.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "learner/group_planner.h"
#include "learner/metrics.h"
#include "learner/mismatch.h"
#include "learner/state_json.h"

namespace cohort {

// Means over the graded trajectories of a step.
double MeanReward(const StepGroups& taken);
double MeanCompletionTokens(const StepGroups& taken);
double TokensPerSecond(const StepGroups& taken);  // Sampled, of wall time.
// Summed over the groups, which are graded side by side and while others are
// sampled.
double GradeSeconds(const StepGroups& taken);

// train/* and rollout/*. `policy_version`: the one before the step.
void SetGroupMetrics(const StepGroups& taken, int64_t policy_version,
                     MetricsRow* row);
void SetMismatchMetrics(const Mismatch& mismatch, MetricsRow* row);

// Moves `state` on by one step that was made of `taken`.
void Advance(const StepGroups& taken, int64_t skipped, int64_t trained_tokens,
             int64_t optimizer_steps, TrainerState* state);

// Sets time/<name> in `row` and adds the seconds to the run's.
void AddTimes(const std::vector<std::pair<std::string, double>>& times,
              TrainerState* state, MetricsRow* row);

}  // namespace cohort
