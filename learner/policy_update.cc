#include "learner/policy_update.h"

#include <torch/types.h>

#include "model/mtp.h"

namespace cohort {
namespace {

// [L][E] tokens per expert of one microbatch.
std::vector<std::vector<int64_t>> CountLoads(
    const std::vector<at::Tensor>& routes, int64_t experts) {
  std::vector<std::vector<int64_t>> loads;
  for (const at::Tensor& layer : routes) {
    const at::Tensor counts =
        layer.flatten().bincount({}, experts).to(at::kCPU).contiguous();
    const int64_t* count = counts.const_data_ptr<int64_t>();
    loads.emplace_back(count, count + experts);
  }
  return loads;
}

// The sum of -log p of the tokens after the next, where they are targets.
// hidden: [N, D], of Forward. Undefined where there are none.
at::Tensor SumOfMtpLoss(const Transformer& policy, const Microbatch& batch,
                        const at::Tensor& hidden) {
  // Target m follows row rows[m]; the row before that predicts it, too.
  const at::Tensor later = batch.packed.positions.index_select(0, batch.rows)
                               .gt(0)
                               .nonzero()
                               .view(-1);
  if (later.numel() == 0) return at::Tensor();
  const MtpBatch shifted = ShiftByOne(batch.packed);
  const at::Tensor place = at::zeros_like(batch.packed.positions);
  place.index_copy_(0, shifted.rows,
                    at::arange(shifted.rows.numel(), place.options()));
  const at::Tensor rows =
      place.index_select(0, batch.rows.index_select(0, later) - 1);
  const at::Tensor ahead = policy.PredictAhead(shifted, hidden).hidden;
  return -LogprobsOfTokens(ahead.index_select(0, rows), policy.Head(),
                           batch.targets.index_select(0, later), 1.0)
              .logprobs.sum();
}

double SumOf(const at::Tensor& values) {
  return values.detach().sum(at::kDouble).item<double>();
}

}  // namespace

void PassSums::Add(const PassSums& other) {
  loss += other.loss;
  mtp += other.mtp;
  tokens += other.tokens;
  kl_nats += other.kl_nats;
  entropy_nats += other.entropy_nats;
  clipped += other.clipped;
  mismatch.Add(other.mismatch);
  if (loads.empty()) loads.resize(other.loads.size());
  for (size_t layer = 0; layer < other.loads.size(); ++layer) {
    loads[layer].resize(other.loads[layer].size());
    for (size_t e = 0; e < other.loads[layer].size(); ++e) {
      loads[layer][e] += other.loads[layer][e];
    }
  }
}

ScoredMicrobatch ScoreMicrobatch(const Transformer& model,
                                 const Microbatch& batch, double temperature) {
  ForwardResult forward = model.Forward(batch.packed);
  return {LogprobsOfTokens(forward.hidden.index_select(0, batch.rows),
                           model.Head(), batch.targets, temperature),
          std::move(forward.routes)};
}

PassSums AccumulateGradients(const Transformer& policy,
                             const Transformer* reference,
                             const Minibatch& minibatch,
                             const LossSettings& settings, double temperature) {
  const at::Tensor table = TokenWeights(minibatch.counts, settings)
                               .to(at::kFloat)
                               .to(policy.device());  // [B]
  PassSums sums;
  for (const Microbatch& batch : minibatch.microbatches) {
    LossTokens tokens;
    tokens.sampler_logprobs = batch.sampler_logprobs;
    tokens.advantages = batch.advantages;
    tokens.trajectories = batch.trajectories;
    if (reference != nullptr) {
      const at::NoGradGuard no_grad;
      tokens.ref_logprobs =
          ScoreMicrobatch(*reference, batch, temperature).scores.logprobs;
    }
    const ScoredMicrobatch scored = ScoreMicrobatch(policy, batch, temperature);
    tokens.logprobs = scored.scores.logprobs;
    const TokenTerms terms = GrpoTerms(tokens, settings);
    const at::Tensor loss =
        GrpoLoss(terms, table.index_select(0, batch.trajectories), settings);
    loss.backward();

    PassSums own;
    own.loss = loss.item<double>();
    own.tokens = batch.rows.numel();
    own.kl_nats = terms.kl.defined() ? SumOf(terms.kl) : 0;
    own.entropy_nats = SumOf(scored.scores.entropy);
    own.clipped = terms.clipped.sum().item<int64_t>();
    own.mismatch = CompareWithSampler(batch, tokens.logprobs, scored.routes);
    own.loads = CountLoads(scored.routes, policy.config().n_routed_experts);
    sums.Add(own);
  }
  return sums;
}

PassSums AccumulateTextGradients(const Transformer& policy,
                                 const std::vector<Microbatch>& microbatches,
                                 const TextLoss& settings) {
  PassSums sums;
  for (const Microbatch& batch : microbatches) {
    const ForwardResult forward = policy.Forward(batch.packed);
    const TokenLogprobs scores =
        LogprobsOfTokens(forward.hidden.index_select(0, batch.rows),
                         policy.Head(), batch.targets, 1.0);
    PassSums own;
    at::Tensor loss =
        -scores.logprobs.sum() / static_cast<double>(settings.tokens);
    if (settings.mtp_weight > 0) {
      at::Tensor mtp = SumOfMtpLoss(policy, batch, forward.hidden);
      if (mtp.defined()) {
        mtp = mtp / static_cast<double>(settings.mtp_tokens);
        own.mtp = mtp.item<double>();
        loss = loss + settings.mtp_weight * mtp;
      }
    }
    loss.backward();

    own.loss = loss.item<double>();
    own.tokens = batch.rows.numel();
    own.entropy_nats = SumOf(scores.entropy);
    own.loads = CountLoads(forward.routes, policy.config().n_routed_experts);
    sums.Add(own);
  }
  return sums;
}

void BalanceExperts(const std::vector<std::vector<int64_t>>& loads, double rate,
                    Transformer* model) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> biases = model->CorrectionBiases();
  for (size_t layer = 0; layer < biases.size() && layer < loads.size();
       ++layer) {
    const at::Tensor load =
        torch::tensor(loads[layer], at::kLong).to(at::kDouble);  // [E]
    biases[layer].add_(
        (load.mean() - load).sign().to(at::kFloat).to(biases[layer].device()),
        rate);
  }
}

}  // namespace cohort
