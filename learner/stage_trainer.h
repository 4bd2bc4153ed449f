// What the stages of a run have in common: one optimizer step at a time.
#pragma once

#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/metrics.h"
#include "learner/optimizer.h"
#include "learner/progress.h"
#include "learner/state_json.h"
#include "model/transformer.h"

namespace cohort {

// One step, for machines and for people.
struct StepReport {
  MetricsRow row;
  StepProgress progress;
  double score = 0;  // Higher is better; ranks checkpoints without evaluation.
};

// Single-threaded.
class StageTrainer {
 public:
  virtual ~StageTrainer() = default;

  // Continues from a checkpoint that was taken in the middle of this stage.
  virtual absl::Status Restore(const std::string& checkpoint,
                               const TrainerState& state) = 0;

  // Makes one optimizer step and moves `state` on by it.
  //   kCancelled  `stop` was requested; nothing changed
  virtual absl::StatusOr<StepReport> Step(TrainerState* state,
                                          const std::stop_token& stop) = 0;

  // Where the stage's data stand, for a checkpoint.
  virtual std::string SaveCursor() const = 0;

  virtual const AdamW& optimizer() const = 0;
  virtual const Transformer* reference() const = 0;  // Null: none.
};

}  // namespace cohort
