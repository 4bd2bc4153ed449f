// A whole run: its stages one after the other, evaluated, checkpointed,
// resumable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/evaluation.h"
#include "learner/experience_store.h"
#include "learner/live_export.h"
#include "learner/metrics.h"
#include "learner/policy_folder.h"
#include "learner/progress.h"
#include "learner/run_clock.h"
#include "learner/run_start.h"
#include "learner/stage_data.h"
#include "learner/stage_trainer.h"

namespace cohort {

// Single-threaded.
class TrainingRun {
 public:
  // Loads what the config names and opens the run's records. A config that
  // cannot work leaves no folder behind. `start` must outlive the run.
  static absl::StatusOr<std::unique_ptr<TrainingRun>> Open(RunStart* start);

  ~TrainingRun();

  // Runs what is left. OK also where it was stopped; see finished().
  absl::Status Run();

  bool finished() const;
  const TrainerState& state() const { return state_; }

 private:
  explicit TrainingRun(RunStart* start);

  absl::Status LoadAll();
  absl::Status OpenRecords();

  absl::Status CheckPrompts();
  absl::Status RunStages();
  absl::Status RunStage(const StageConfig& stage, StageData data);
  absl::StatusOr<std::unique_ptr<StageTrainer>> MakeTrainer(
      const StageConfig& stage, StageData* data);
  absl::Status StepLoop(const StageConfig& stage, StageTrainer* trainer);
  absl::Status FinishStep(const StageConfig& stage, StageTrainer* trainer,
                          StepReport report);
  absl::Status EvaluateBefore();
  absl::StatusOr<double> EvaluateAfter(MetricsRow* row);
  absl::Status Checkpoint(const StageTrainer* trainer, bool between_stages);
  absl::Status Interrupt(const StageTrainer* trainer,
                         const absl::Status& reason);
  absl::Status Summarise();

  const Config& config_;
  RunSignal* const signal_;
  RunClock clock_;

  RunDir& dir_;
  const std::string checkpoint_;  // That this life began from; empty: none.
  TrainerState state_;
  int64_t recorded_step_ = 0;  // The last one whose metrics are written.
  Policy policy_;
  std::vector<StageData> data_;  // By stage; empty where the stage is done.
  std::unique_ptr<ExperienceStore> store_;
  std::unique_ptr<LiveExport> live_export_;  // Null where none is asked for.
  std::unique_ptr<MetricsWriter> metrics_;
  ProgressLine progress_;
  RolloutHost* const host_;  // Null where no rl stage is left.
  std::unique_ptr<PromptSource> source_;
  std::unique_ptr<Evaluator> evaluator_;  // Of the stage under way.
};

// Opens and runs what `start` begins. `start` must outlive the call.
absl::StatusOr<RunEnd> RunTraining(RunStart* start);

}  // namespace cohort
