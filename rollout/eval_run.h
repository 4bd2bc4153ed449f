// Samples completions for tasks and has them graded meanwhile.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/types.pb.h"
#include "rollout/engine.h"
#include "rollout/eval_report.h"

namespace cohort {

struct EvalSettings {
  Sampling sampling;
  int graders = 2;  // Groups graded at the same time.
  // How long one group may be graded, all attempts together.
  absl::Duration grade_timeout = absl::Minutes(5);
};

// One result per task, in their order. Groups that the server could not grade
// in time hold infra_error, as in a run.
//   kUnavailable  the reward server was gone for `grade_timeout`
//   others        the engine's
absl::StatusOr<std::vector<TaskResult>> Evaluate(
    const std::vector<Prompt>& tasks, const EvalSettings& settings,
    Rewards::StubInterface* rewards, Engine* engine);

}  // namespace cohort
