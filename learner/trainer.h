// Reinforcement learning: hops 6 to 10 in the life of a prompt, one optimizer
// step after the other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/group_planner.h"
#include "learner/grpo_loss.h"
#include "learner/policy_update.h"
#include "learner/stage_trainer.h"
#include "learner/weight_board.h"
#include "model/transformer.h"

namespace cohort {

// What an rl stage works on; all of it must outlive the trainer.
struct RlParts {
  const StageConfig* stage = nullptr;
  Transformer* policy = nullptr;
  Sampling sampling;
  PromptSource* source = nullptr;
  ExperienceStore* store = nullptr;
  LeaseBook* book = nullptr;
  WeightBoard* board = nullptr;
};

// Single-threaded.
class Trainer : public StageTrainer {
 public:
  // A new stage: the reference, where the loss has a penalty, is the policy as
  // it is now.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(RlParts parts);

  absl::Status Restore(const std::string& checkpoint,
                       const TrainerState& state) override;
  absl::StatusOr<StepReport> Step(TrainerState* state,
                                  const std::stop_token& stop) override;

  std::string SaveCursor() const override { return planner_.SaveCursor(); }
  const AdamW& optimizer() const override { return optimizer_; }
  const Transformer* reference() const override { return reference_.get(); }

 private:
  // What the updates of one step did.
  struct Learned {
    PassSums
        first;  // Of the first minibatch: under the policy as sampled from.
    PassSums all;
    double loss = 0;           // Mean over the minibatches.
    double gradient_norm = 0;  // Of the last one.
    int64_t skipped = 0;
    double learning_rate = 0;
  };

  Trainer(RlParts parts, AdvantageNorm norm, LossSettings loss);

  absl::Status RefreshReference(int64_t stage_step);
  absl::StatusOr<std::vector<Minibatch>> Pack(const StepGroups& taken,
                                              int64_t policy_version) const;
  // Hops 8 and 9, once per minibatch.
  absl::StatusOr<Learned> Learn(const StepGroups& taken,
                                const TrainerState& state);
  absl::StatusOr<PassSums> LearnFrom(const Minibatch& minibatch, bool balance,
                                     double learning_rate, Learned* learned);
  // Compares sampler and learner on a step's first group, where no group had
  // anything to teach. The policy must not have been updated.
  absl::StatusOr<Mismatch> Probe(const StepGroups& taken,
                                 int64_t policy_version) const;
  StepReport Report(const StepGroups& taken, const Learned& learned,
                    const TrainerState& state) const;

  const RlParts parts_;
  const StageConfig& stage_;
  const LossSettings loss_;
  GroupPlanner planner_;
  AdamW optimizer_;
  std::unique_ptr<Transformer> reference_;
  int64_t microbatch_tokens_;  // Shrinks when memory runs out.
};

// A second model with the same weights.
absl::StatusOr<std::unique_ptr<Transformer>> CloneModel(
    const Transformer& model);

}  // namespace cohort
