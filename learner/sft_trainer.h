// Supervised training: the next token of documents, all tokens counting alike.
// Documents are packed and never see each other.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/policy_update.h"
#include "learner/stage_trainer.h"
#include "learner/text_corpus.h"
#include "model/transformer.h"

namespace cohort {

// Single-threaded.
class SftTrainer : public StageTrainer {
 public:
  // `stage` and `policy` must outlive this.
  SftTrainer(const StageConfig& stage, TextCorpus corpus, Transformer* policy);

  absl::Status Restore(const std::string& checkpoint,
                       const TrainerState& state) override;
  absl::StatusOr<StepReport> Step(TrainerState* state,
                                  const std::stop_token& stop) override;

  // The step's number says which documents come next.
  std::string SaveCursor() const override { return ""; }
  const AdamW& optimizer() const override { return optimizer_; }
  const Transformer* reference() const override { return nullptr; }

 private:
  struct Learned {
    PassSums sums;
    OptimizerStep step;
    double learning_rate = 0;
  };
  Learned Learn(int64_t stage_step);

  const StageConfig& stage_;
  TextCorpus corpus_;
  Transformer* const policy_;
  AdamW optimizer_;
};

}  // namespace cohort
