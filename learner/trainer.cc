#include "learner/trainer.h"

#include <torch/types.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "learner/step_metrics.h"
#include "learner/trainer_state.h"
#include "learner/weight_publisher.h"
#include "model/guard.h"
#include "proto/log.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Below this, running out of memory is not the microbatch's fault.
constexpr int64_t kFewestMicrobatchTokens = 128;

void CopyWeights(const Transformer& from, Transformer* to) {
  const at::NoGradGuard no_grad;
  const std::vector<NamedTensor> source = from.HfTensors();
  const std::vector<NamedTensor> target = to->HfTensors();
  for (size_t i = 0; i < source.size(); ++i) {
    target[i].tensor.copy_(source[i].tensor);
  }
  to->WeightsChanged();
}

void DropGradients(const Transformer& model) {
  for (const NamedTensor& named : model.Parameters()) {
    named.tensor.mutable_grad().reset();
  }
}

// Of the groups whose trajectories `mismatch` counts: those of the first
// minibatch, which the policy that sampled them was trained on.
absl::Status NoteMismatches(const StepGroups& taken, const Mismatch& mismatch,
                            ExperienceStore* store) {
  std::map<int64_t, double> nats;
  for (const Mismatch::OfTrajectory& own : mismatch.trajectories) {
    nats[own.trajectory] =
        own.abs_diff_sum_nats / static_cast<double>(own.tokens);
  }
  int64_t trajectory = 0;
  for (size_t i = 0; i < taken.groups.size(); ++i) {
    const Group& group = taken.groups[i];
    std::vector<double> members(static_cast<size_t>(group.trajectories_size()),
                                -1.0);
    bool any = false;
    for (const int member : taken.lessons[i].members) {
      const auto own = nats.find(trajectory++);
      if (own == nats.end()) continue;
      members[static_cast<size_t>(member)] = own->second;
      any = true;
    }
    if (any) {
      COHORT_RETURN_IF_ERROR(store->NoteMismatches(group.id(), members));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Transformer>> CloneModel(
    const Transformer& model) {
  COHORT_ASSIGN_OR_RETURN(
      std::unique_ptr<Transformer> copy,
      Transformer::Create(model.config(), model.Head().scalar_type(),
                          model.device()));
  COHORT_RETURN_IF_ERROR(GuardTorch([&] { CopyWeights(model, copy.get()); }));
  return copy;
}

Trainer::Trainer(RlParts parts, AdvantageNorm norm, LossSettings loss)
    : parts_(std::move(parts)),
      stage_(*parts_.stage),
      loss_(loss),
      planner_(stage_, norm, parts_.sampling, parts_.source, parts_.store,
               parts_.book),
      optimizer_(parts_.policy->Parameters(), stage_.learner),
      microbatch_tokens_(stage_.learner.microbatch_tokens) {}

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(RlParts parts) {
  const LearnerConfig& config = parts.stage->learner;
  COHORT_ASSIGN_OR_RETURN(const AdvantageNorm norm,
                          ParseAdvantageNorm(config.advantage));
  COHORT_ASSIGN_OR_RETURN(const LossSettings loss, LossSettingsOf(config));
  parts.policy->SetTrainable(true);
  std::unique_ptr<Trainer> trainer(new Trainer(std::move(parts), norm, loss));
  if (loss.kl_weight != 0) {
    COHORT_ASSIGN_OR_RETURN(trainer->reference_,
                            CloneModel(*trainer->parts_.policy));
    trainer->reference_->SetTrainable(false);
  }
  return trainer;
}

absl::Status Trainer::Restore(const std::string& checkpoint,
                              const TrainerState& state) {
  COHORT_RETURN_IF_ERROR(parts_.source->RestoreState(state.prompt_cursor));
  COHORT_RETURN_IF_ERROR(LoadOptimizer(checkpoint, state, &optimizer_));
  if (reference_ == nullptr) return absl::OkStatus();
  return LoadReference(checkpoint, reference_.get());
}

absl::StatusOr<StepReport> Trainer::Step(TrainerState* state,
                                         const std::stop_token& stop) {
  const int64_t version = state->policy_version;
  COHORT_RETURN_IF_ERROR(
      planner_.PlanAhead(stage_.steps - state->stage_step, version));
  COHORT_ASSIGN_OR_RETURN(const StepGroups taken, planner_.Take(version, stop));

  const absl::Time began = absl::Now();
  COHORT_RETURN_IF_ERROR(RefreshReference(state->stage_step));
  COHORT_ASSIGN_OR_RETURN(const Learned learned, Learn(taken, *state));
  const absl::Time learned_at = absl::Now();

  Advance(taken, learned.skipped, learned.all.tokens, optimizer_.steps(),
          state);
  COHORT_RETURN_IF_ERROR(
      parts_.store->MarkTrained(taken.GroupIds(), state->step));
  COHORT_RETURN_IF_ERROR(parts_.store->MarkDropped(taken.dropped, state->step));
  COHORT_RETURN_IF_ERROR(
      NoteMismatches(taken, learned.first.mismatch, parts_.store));
  COHORT_RETURN_IF_ERROR(GuardTorch([&] {
    return PublishWeights(*parts_.policy, state->policy_version, parts_.store,
                          parts_.board);
  }));

  StepReport report = Report(taken, learned, *state);
  AddTimes({{"sample_s", taken.wait_s},
            {"update_s", absl::ToDoubleSeconds(learned_at - began)},
            {"sync_s", absl::ToDoubleSeconds(absl::Now() - learned_at)}},
           state, &report.row);
  return report;
}

absl::Status Trainer::RefreshReference(int64_t stage_step) {
  const int every = stage_.learner.reference_refresh_steps;
  if (reference_ == nullptr || every == 0 || stage_step == 0 ||
      stage_step % every != 0) {
    return absl::OkStatus();
  }
  return GuardTorch([&] { CopyWeights(*parts_.policy, reference_.get()); });
}

absl::StatusOr<std::vector<Minibatch>> Trainer::Pack(
    const StepGroups& taken, int64_t policy_version) const {
  const PackingRule rule{.microbatch_tokens = microbatch_tokens_,
                         .keep_zero_advantages = loss_.kl_weight != 0,
                         .keep_flat_groups = false,
                         .policy_version = policy_version,
                         .filter_truncated = stage_.learner.filter_truncated};
  const size_t parts = static_cast<size_t>(stage_.learner.minibatches);
  const size_t groups = taken.groups.size();
  std::vector<Minibatch> minibatches;
  for (size_t i = 0; i < parts; ++i) {
    const auto begin = static_cast<int64_t>(groups * i / parts);
    const auto end = static_cast<int64_t>(groups * (i + 1) / parts);
    COHORT_ASSIGN_OR_RETURN(
        Minibatch minibatch,
        PackGroups({taken.groups.begin() + begin, taken.groups.begin() + end},
                   {taken.lessons.begin() + begin, taken.lessons.begin() + end},
                   parts_.policy->config(), rule, parts_.policy->device()));
    minibatches.push_back(std::move(minibatch));
  }
  return minibatches;
}

absl::StatusOr<Trainer::Learned> Trainer::Learn(const StepGroups& taken,
                                                const TrainerState& state) {
  const int64_t version = state.policy_version;
  COHORT_ASSIGN_OR_RETURN(std::vector<Minibatch> minibatches,
                          Pack(taken, version));
  Learned learned;
  learned.learning_rate =
      LearningRateAt(stage_.learner, state.stage_step, stage_.steps);
  const double frozen_from =
      (1 - stage_.learner.router_bias_frozen_tail) * stage_.steps;
  const bool balance = stage_.learner.router_bias_rate > 0 &&
                       static_cast<double>(state.stage_step) < frozen_from;
  for (size_t i = 0; i < minibatches.size(); ++i) {
    absl::StatusOr<PassSums> sums =
        LearnFrom(minibatches[i], balance, learned.learning_rate, &learned);
    while (absl::IsResourceExhausted(sums.status()) &&
           microbatch_tokens_ > kFewestMicrobatchTokens) {
      microbatch_tokens_ /= 2;
      COHORT_LOG(WARNING) << "out of memory; microbatch_tokens="
                          << microbatch_tokens_;
      COHORT_ASSIGN_OR_RETURN(minibatches, Pack(taken, version));
      sums =
          LearnFrom(minibatches[i], balance, learned.learning_rate, &learned);
    }
    if (!sums.ok()) return sums.status();
    if (i == 0) learned.first = *sums;
    learned.all.Add(*sums);
  }
  if (learned.all.tokens == 0) {
    COHORT_ASSIGN_OR_RETURN(learned.first.mismatch,
                            Probe(taken, state.policy_version));
  }
  learned.loss = learned.all.loss / static_cast<double>(minibatches.size());
  return learned;
}

absl::StatusOr<Mismatch> Trainer::Probe(const StepGroups& taken,
                                        int64_t policy_version) const {
  COHORT_ASSIGN_OR_RETURN(
      const Minibatch minibatch,
      PackGroups({taken.groups.front()}, {taken.lessons.front()},
                 parts_.policy->config(),
                 {.microbatch_tokens = microbatch_tokens_,
                  .keep_zero_advantages = true,
                  .keep_flat_groups = true,
                  .policy_version = policy_version},
                 parts_.policy->device()));
  return GuardTorch([&] {
    const at::NoGradGuard no_grad;
    Mismatch mismatch;
    for (const Microbatch& batch : minibatch.microbatches) {
      const ScoredMicrobatch scored =
          ScoreMicrobatch(*parts_.policy, batch, stage_.rollout.temperature);
      mismatch.Add(
          CompareWithSampler(batch, scored.scores.logprobs, scored.routes));
    }
    return mismatch;
  });
}

absl::StatusOr<PassSums> Trainer::LearnFrom(const Minibatch& minibatch,
                                            bool balance, double learning_rate,
                                            Learned* learned) {
  // Nothing to learn: no step either, lest the moments alone move the policy.
  if (minibatch.microbatches.empty()) return PassSums();
  absl::StatusOr<PassSums> sums = GuardTorch([&] {
    return AccumulateGradients(*parts_.policy, reference_.get(), minibatch,
                               loss_, stage_.rollout.temperature);
  });
  if (!sums.ok()) {
    DropGradients(*parts_.policy);
    return sums;
  }
  const absl::Status stepped = GuardTorch([&] {
    const OptimizerStep step = optimizer_.Step(learning_rate);
    learned->gradient_norm = step.gradient_norm;
    learned->skipped += step.skipped;
    if (step.skipped) {
      COHORT_LOG(WARNING) << "step skipped: the gradient is not finite";
    } else if (balance) {
      BalanceExperts(sums->loads, stage_.learner.router_bias_rate,
                     parts_.policy);
    }
    parts_.policy->WeightsChanged();
  });
  if (!stepped.ok()) return stepped;
  return sums;
}

StepReport Trainer::Report(const StepGroups& taken, const Learned& learned,
                           const TrainerState& state) const {
  StepReport report{
      MetricsRow(state.step, stage_.name, state.policy_version), {}, 0};
  SetGroupMetrics(taken, state.policy_version - 1, &report.row);
  MetricsRow& row = report.row;
  row.Set("time/grade_s", GradeSeconds(taken));
  row.Set("loss/total", learned.loss);
  row.Set("loss/kl_nats", learned.all.PerToken(learned.all.kl_nats));
  row.Set("loss/clip_fraction",
          learned.all.PerToken(static_cast<double>(learned.all.clipped)));
  row.Set("loss/entropy_nats", learned.all.PerToken(learned.all.entropy_nats));
  row.Set("loss/grad_norm", learned.gradient_norm);
  row.Set("loss/learning_rate", learned.learning_rate);
  row.Set("loss/skipped_steps",
          static_cast<double>(state.totals.skipped_steps));
  SetMismatchMetrics(learned.first.mismatch, &row);
  report.score = MeanReward(taken);
  report.progress = {.stage = stage_.name,
                     .step = state.stage_step,
                     .steps = stage_.steps,
                     .loss = learned.loss,
                     .reward = report.score,
                     .completion_tokens = MeanCompletionTokens(taken),
                     .tokens_per_second = TokensPerSecond(taken)};
  return report;
}

}  // namespace cohort
