// Gradients of a minibatch: forward and backward of its microbatches, one after
// the other.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "learner/grpo_loss.h"
#include "learner/mismatch.h"
#include "learner/packer.h"
#include "model/logprob.h"
#include "model/transformer.h"

namespace cohort {

// What one pass over a minibatch saw; sums over its forwarded tokens.
struct PassSums {
  double loss = 0;     // Of the whole minibatch.
  double mtp = 0;      // The prediction head's part, nats, not weighted.
  int64_t tokens = 0;  // Sampled ones that were forwarded.
  double kl_nats = 0;
  double entropy_nats = 0;
  int64_t clipped = 0;
  Mismatch mismatch;
  // Tokens each expert of each MoE layer was given, [L][E].
  std::vector<std::vector<int64_t>> loads;

  void Add(const PassSums& other);
  double PerToken(double sum) const {
    return tokens == 0 ? 0 : sum / static_cast<double>(tokens);
  }
};

// Log-probabilities of a microbatch's sampled tokens; carries the graph where
// grad mode is on.
struct ScoredMicrobatch {
  TokenLogprobs scores;            // [M]
  std::vector<at::Tensor> routes;  // per MoE layer [N, K]
};
ScoredMicrobatch ScoreMicrobatch(const Transformer& model,
                                 const Microbatch& batch, double temperature);

// Adds the minibatch's gradients to the .grad of `policy`'s parameters.
//   reference: null where the loss has no penalty
//   temperature: that of sampling
PassSums AccumulateGradients(const Transformer& policy,
                             const Transformer* reference,
                             const Minibatch& minibatch,
                             const LossSettings& settings, double temperature);

// Next-token loss: the mean over all `tokens` targets, which may be more than
// those of `microbatches`; and, with a weight, that of the multi-token
// prediction head, the mean over all `mtp_tokens` second next tokens.
// Source: DeepSeek-V3 (arXiv:2412.19437), equations 24 and 25.
struct TextLoss {
  int64_t tokens = 0;
  int64_t mtp_tokens = 0;
  double mtp_weight = 0;  // 0: the head is not run.
};

// The same as AccumulateGradients for that loss.
PassSums AccumulateTextGradients(const Transformer& policy,
                                 const std::vector<Microbatch>& microbatches,
                                 const TextLoss& loss);

// One step of the MoE correction bias towards equal loads: bias += rate *
// sign(mean load - load). Source: DeepSeek-V3 (arXiv:2412.19437), section
// 2.1.2, and its "bias update speed".
void BalanceExperts(const std::vector<std::vector<int64_t>>& loads, double rate,
                    Transformer* model);

}  // namespace cohort
