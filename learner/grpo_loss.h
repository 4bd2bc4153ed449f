// The objective: a clipped policy gradient per token, plus a penalty that holds
// the policy near the reference policy. To be minimised.
//
//   loss = sum over tokens of weight * (factor * policy + kl_weight * kl)
//   clip:  policy = -min(ratio * A, clip(ratio, 1 - clip_low, 1 + clip_high) *
//   A) cispo: policy = -min(ratio, cispo_max) * A * logprob, the minimum a
//   constant
//
// The factor corrects for a sampler that differs (learner/off_policy.h).
//
// The weights come from counts over the whole minibatch, so that the losses of
// its microbatches add up to the loss of the whole.
//
// Source: DeepSeekMath (arXiv:2402.03300), equation 3; the clip from above is
// DAPO's (arXiv:2503.14476), the constant divisor Dr. GRPO's
// (arXiv:2503.20783), the dual clip arXiv:1912.09729, the estimators
// joschu.net/blog/kl-approx and DeepSeek-V3.2's unbiased one; the ratio of
// whole sequences is GSPO's (arXiv:2507.18071), CISPO MiniMax-M1's
// (arXiv:2506.13585).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/off_policy.h"

namespace cohort {

// How token terms become one loss; n is a trajectory's length, B their number.
enum class Aggregation {
  kSequenceMean,  // 1 / (B n)
  kTokenMean,     // 1 / (sum of n)
  kConstant,      // 1 / (B loss_constant)
};

// Of log(policy / reference) at a token that the policy sampled.
enum class KlEstimator {
  kK1,          // The log-ratio itself.
  kK2,          // Half its square.
  kK3,          // exp(-log-ratio) - 1 + log-ratio, never negative.
  kK3Unbiased,  // k3 times policy / sampler; the gradient goes through both.
};

enum class PolicyTerm { kClip, kCispo };

// Whose ratio policy / sampler: each token's; for all tokens of a trajectory
// the geometric mean of theirs (GSPO); or their product, as DeepSeek-R1
// (arXiv:2501.12948) writes it in equations 1 to 3, the penalty likewise of
// whole trajectories: every token then carries its trajectory's one term, and
// the weights of kSequenceMean count that once.
enum class RatioLevel { kToken, kSequence, kProduct };

struct LossSettings {
  PolicyTerm term = PolicyTerm::kClip;
  RatioLevel level = RatioLevel::kToken;
  double cispo_max = 5;
  Aggregation aggregation = Aggregation::kSequenceMean;
  double loss_constant = 1024;  // Tokens.
  double clip_low = 0.2;
  double clip_high = 0.2;
  double dual_clip = 0;  // Upper bound of the unclipped ratio; 0: none.
  double kl_weight = 0;
  KlEstimator kl = KlEstimator::kK3;
  OffPolicySettings off_policy;
};

// kInvalidArgument on an unknown name.
absl::StatusOr<Aggregation> ParseAggregation(std::string_view name);
absl::StatusOr<KlEstimator> ParseKlEstimator(std::string_view name);
absl::StatusOr<PolicyTerm> ParsePolicyTerm(std::string_view name);
absl::StatusOr<RatioLevel> ParseRatioLevel(std::string_view name);
absl::StatusOr<LossSettings> LossSettingsOf(const LearnerConfig& config);

// M sampled tokens of whole trajectories, all float tensors of one dtype, in
// nats.
struct LossTokens {
  at::Tensor logprobs;          // [M], under the policy; carries the graph
  at::Tensor sampler_logprobs;  // [M]
  at::Tensor ref_logprobs;      // [M]; undefined: no reference, no penalty
  at::Tensor advantages;        // [M], each trajectory's at all its tokens
  at::Tensor trajectories;      // [M] int64, which trajectory each is of
  // [M], as the sampler's own engine computed what `sampler_logprobs` holds as
  // the learner computes it; undefined: they are the same numbers.
  at::Tensor engine_logprobs;
};

// One entry per token; no graph is kept where grad mode is off.
struct TokenTerms {
  at::Tensor ratio;  // [M], policy / sampler at the level that was asked for
  at::Tensor
      policy;  // [M], the policy term without its factor, to be minimised
  at::Tensor factor;   // [M], constant; undefined: 1
  at::Tensor kl;       // [M]; undefined without a reference
  at::Tensor clipped;  // [M] bool, where the clip takes the gradient away
};

// Log-ratios are bounded by kLogRatioLimit before exp, so that a policy far
// from the sampler gives a large number, not infinity.
inline constexpr double kLogRatioLimit = 20;
TokenTerms GrpoTerms(const LossTokens& tokens, const LossSettings& settings);

// What the minibatch holds: the number of sampled tokens of each trajectory.
// Trajectories that teach nothing count too.
struct LossCounts {
  std::vector<int64_t> lengths;  // [B]
  int64_t tokens() const;
};

// [B] float64 on the CPU: the weight of one token of each trajectory.
at::Tensor TokenWeights(const LossCounts& counts, const LossSettings& settings);

// Returns [], the share of `tokens` in the minibatch's loss.
//   weights: [M], TokenWeights at each token's trajectory
at::Tensor GrpoLoss(const TokenTerms& terms, const at::Tensor& weights,
                    const LossSettings& settings);

}  // namespace cohort
