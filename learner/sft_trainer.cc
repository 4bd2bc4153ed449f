#include "learner/sft_trainer.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "learner/packer.h"
#include "learner/step_metrics.h"
#include "learner/trainer_state.h"
#include "model/guard.h"
#include "proto/log.h"
#include "proto/status.h"

namespace cohort {
namespace {

// The prediction head is left as it is, weight decay included, where its loss
// has no weight.
std::vector<NamedTensor> TrainedParameters(const Transformer& policy,
                                           double mtp_weight) {
  std::vector<NamedTensor> trained = policy.Parameters();
  if (mtp_weight > 0) {
    for (NamedTensor& leaf : policy.MtpParameters()) {
      trained.push_back(std::move(leaf));
    }
  }
  return trained;
}

}  // namespace

SftTrainer::SftTrainer(const StageConfig& stage, TextCorpus corpus,
                       Transformer* policy)
    : stage_(stage),
      corpus_(std::move(corpus)),
      policy_((policy->SetTrainable(true), policy)),
      optimizer_(TrainedParameters(*policy, stage.learner.mtp_weight),
                 stage.learner) {}

absl::Status SftTrainer::Restore(const std::string& checkpoint,
                                 const TrainerState& state) {
  return LoadOptimizer(checkpoint, state, &optimizer_);
}

absl::StatusOr<StepReport> SftTrainer::Step(TrainerState* state,
                                            const std::stop_token& stop) {
  if (stop.stop_requested()) return absl::CancelledError("stopped");
  const absl::Time began = absl::Now();
  COHORT_ASSIGN_OR_RETURN(const Learned learned,
                          GuardTorch([&] { return Learn(state->stage_step); }));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);

  ++state->step;
  ++state->stage_step;
  ++state->policy_version;
  state->optimizer_steps = optimizer_.steps();
  state->totals.skipped_steps += learned.step.skipped;
  state->totals.trained_tokens += learned.sums.tokens;

  const PassSums& sums = learned.sums;
  StepReport report{
      MetricsRow(state->step, stage_.name, state->policy_version), {}, 0};
  MetricsRow& row = report.row;
  row.Set("loss/total", sums.loss);
  if (stage_.learner.mtp_weight > 0) row.Set("loss/mtp", sums.mtp);
  row.Set("loss/entropy_nats", sums.PerToken(sums.entropy_nats));
  row.Set("loss/grad_norm", learned.step.gradient_norm);
  row.Set("loss/learning_rate", learned.learning_rate);
  row.Set("loss/skipped_steps",
          static_cast<double>(state->totals.skipped_steps));
  row.Set("train/tokens", static_cast<double>(sums.tokens));
  const double tokens_per_second = static_cast<double>(sums.tokens) / seconds;
  row.Set("train/tokens_per_second", tokens_per_second);
  AddTimes({{"update_s", seconds}}, state, &row);
  report.score = -sums.loss;
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  report.progress = {.stage = stage_.name,
                     .step = state->stage_step,
                     .steps = stage_.steps,
                     .loss = sums.loss,
                     .reward = kNone,
                     .completion_tokens = kNone,
                     .tokens_per_second = tokens_per_second};
  return report;
}

SftTrainer::Learned SftTrainer::Learn(int64_t stage_step) {
  std::vector<TrainingSequence> sequences;
  TextLoss loss;
  loss.mtp_weight = stage_.learner.mtp_weight;
  for (const std::vector<int32_t>* tokens :
       corpus_.DocumentsOfStep(stage_step)) {
    TrainingSequence& sequence = sequences.emplace_back();
    sequence.tokens = *tokens;
    sequence.prompt_tokens = 1;
    const int64_t length = static_cast<int64_t>(tokens->size());
    loss.tokens += length - 1;
    loss.mtp_tokens += std::max<int64_t>(0, length - 2);
  }
  const std::vector<Microbatch> microbatches = PackTrainingSequences(
      sequences, policy_->config(), stage_.learner.microbatch_tokens,
      policy_->device());

  Learned learned;
  learned.learning_rate =
      LearningRateAt(stage_.learner, stage_step, stage_.steps);
  learned.sums = AccumulateTextGradients(*policy_, microbatches, loss);
  learned.step = optimizer_.Step(learned.learning_rate);
  const double frozen_from =
      (1 - stage_.learner.router_bias_frozen_tail) * stage_.steps;
  if (learned.step.skipped) {
    COHORT_LOG(WARNING) << "step skipped: the gradient is not finite";
  } else if (stage_.learner.router_bias_rate > 0 &&
             static_cast<double>(stage_step) < frozen_from) {
    BalanceExperts(learned.sums.loads, stage_.learner.router_bias_rate,
                   policy_);
  }
  policy_->WeightsChanged();
  return learned;
}

}  // namespace cohort
