#include "learner/grpo_loss.h"

#include <torch/types.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/status.h"

namespace cohort {
namespace {

at::Tensor BoundedExp(const at::Tensor& log_ratio) {
  return log_ratio.clamp_max(kLogRatioLimit).exp();
}

// exp(gap) - 1 - gap; expm1 keeps its digits where the gap is small.
at::Tensor ThirdEstimate(const at::Tensor& gap) {
  return gap.clamp_max(kLogRatioLimit).expm1() - gap;
}

at::Tensor AtLevel(const at::Tensor& log_ratio, const LossTokens& tokens,
                   RatioLevel level) {
  switch (level) {
    case RatioLevel::kToken:
      break;
    case RatioLevel::kSequence:
      return MeanOverTrajectories(log_ratio, tokens.trajectories);
    case RatioLevel::kProduct:
      return SumOverTrajectories(log_ratio, tokens.trajectories);
  }
  return log_ratio;
}

// The penalty is each token's own, but under kProduct.
at::Tensor EstimateKl(const LossTokens& tokens, const LossSettings& settings) {
  const RatioLevel level = settings.level == RatioLevel::kProduct
                               ? RatioLevel::kProduct
                               : RatioLevel::kToken;
  const at::Tensor gap =
      AtLevel(tokens.ref_logprobs - tokens.logprobs, tokens, level);  // [M]
  switch (settings.kl) {
    case KlEstimator::kK1:
      return -gap;
    case KlEstimator::kK2:
      return gap.square() / 2;
    case KlEstimator::kK3:
      return ThirdEstimate(gap);
    case KlEstimator::kK3Unbiased:
      return BoundedExp(AtLevel(tokens.logprobs - tokens.sampler_logprobs,
                                tokens, level)) *
             ThirdEstimate(gap);
  }
  return {};
}

// Where the clip or the bound takes gradient away it says so in `clipped`.
void ClipTerm(const at::Tensor& advantages, const LossSettings& settings,
              TokenTerms* terms) {
  const at::Tensor& ratio = terms->ratio;
  const at::Tensor clipped =
      ratio.clamp(1 - settings.clip_low, 1 + settings.clip_high);
  const at::Tensor bounded =
      settings.dual_clip > 0 ? ratio.clamp_max(settings.dual_clip) : ratio;
  terms->policy = -at::minimum(bounded * advantages, clipped * advantages);
  terms->clipped = ((ratio < 1 - settings.clip_low) & (advantages < 0)) |
                   ((ratio > 1 + settings.clip_high) & (advantages > 0));
}

void CispoTerm(const LossTokens& tokens, const LossSettings& settings,
               TokenTerms* terms) {
  const at::Tensor weight = terms->ratio.detach().clamp_max(settings.cispo_max);
  terms->policy = -weight * tokens.advantages * tokens.logprobs;
  terms->clipped =
      (terms->ratio > settings.cispo_max) & (tokens.advantages > 0);
}

at::Tensor FactorOf(const LossTokens& tokens, const at::Tensor& log_ratio,
                    const OffPolicySettings& settings) {
  const at::Tensor mask =
      SequenceMask(log_ratio, tokens.advantages, tokens.trajectories, settings);
  if (!tokens.engine_logprobs.defined()) return mask;
  const at::Tensor weights =
      ImportanceWeights(tokens.sampler_logprobs, tokens.engine_logprobs,
                        tokens.trajectories, settings);
  if (!weights.defined()) return mask;
  return mask.defined() ? mask * weights : weights;
}

}  // namespace

absl::StatusOr<Aggregation> ParseAggregation(std::string_view name) {
  if (name == "sequence_mean") return Aggregation::kSequenceMean;
  if (name == "token_mean") return Aggregation::kTokenMean;
  if (name == "constant") return Aggregation::kConstant;
  return absl::InvalidArgumentError(
      absl::StrCat("aggregation '", std::string(name),
                   "': must be sequence_mean, token_mean or constant"));
}

absl::StatusOr<KlEstimator> ParseKlEstimator(std::string_view name) {
  if (name == "k1") return KlEstimator::kK1;
  if (name == "k2") return KlEstimator::kK2;
  if (name == "k3") return KlEstimator::kK3;
  if (name == "k3_unbiased") return KlEstimator::kK3Unbiased;
  return absl::InvalidArgumentError(
      absl::StrCat("KL estimator '", std::string(name),
                   "': must be k1, k2, k3 or k3_unbiased"));
}

absl::StatusOr<PolicyTerm> ParsePolicyTerm(std::string_view name) {
  if (name == "clip") return PolicyTerm::kClip;
  if (name == "cispo") return PolicyTerm::kCispo;
  return absl::InvalidArgumentError(absl::StrCat(
      "objective '", std::string(name), "': must be clip or cispo"));
}

absl::StatusOr<RatioLevel> ParseRatioLevel(std::string_view name) {
  if (name == "token") return RatioLevel::kToken;
  if (name == "sequence") return RatioLevel::kSequence;
  if (name == "product") return RatioLevel::kProduct;
  return absl::InvalidArgumentError(
      absl::StrCat("ratio level '", std::string(name),
                   "': must be token, sequence or product"));
}

absl::StatusOr<LossSettings> LossSettingsOf(const LearnerConfig& config) {
  LossSettings settings;
  COHORT_ASSIGN_OR_RETURN(settings.aggregation,
                          ParseAggregation(config.aggregation));
  COHORT_ASSIGN_OR_RETURN(settings.kl, ParseKlEstimator(config.kl_estimator));
  COHORT_ASSIGN_OR_RETURN(settings.term, ParsePolicyTerm(config.objective));
  COHORT_ASSIGN_OR_RETURN(settings.level, ParseRatioLevel(config.ratio_level));
  settings.cispo_max = config.cispo_max;
  if (config.off_policy_mask > 0) {
    settings.off_policy.sequence_mask = config.off_policy_mask;
  }
  settings.loss_constant = config.loss_constant;
  settings.clip_low = config.clip_low;
  settings.clip_high = config.clip_high;
  settings.dual_clip = config.dual_clip;
  settings.kl_weight = config.kl_weight;
  return settings;
}

TokenTerms GrpoTerms(const LossTokens& tokens, const LossSettings& settings) {
  const at::Tensor log_ratio =
      tokens.logprobs - tokens.sampler_logprobs;  // [M]
  TokenTerms terms;
  terms.ratio = BoundedExp(AtLevel(log_ratio, tokens, settings.level));
  switch (settings.term) {
    case PolicyTerm::kClip:
      ClipTerm(tokens.advantages, settings, &terms);
      break;
    case PolicyTerm::kCispo:
      CispoTerm(tokens, settings, &terms);
      break;
  }
  terms.factor = FactorOf(tokens, log_ratio, settings.off_policy);
  if (tokens.ref_logprobs.defined()) {
    terms.kl = EstimateKl(tokens, settings);
  }
  return terms;
}

int64_t LossCounts::tokens() const {
  return std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
}

at::Tensor TokenWeights(const LossCounts& counts,
                        const LossSettings& settings) {
  const double trajectories = static_cast<double>(counts.lengths.size());
  const double all = static_cast<double>(std::max<int64_t>(counts.tokens(), 1));
  std::vector<double> weights;
  for (const int64_t length : counts.lengths) {
    const double own = static_cast<double>(std::max<int64_t>(length, 1));
    switch (settings.aggregation) {
      case Aggregation::kSequenceMean:
        weights.push_back(1 / (trajectories * own));
        break;
      case Aggregation::kTokenMean:
        weights.push_back(1 / all);
        break;
      case Aggregation::kConstant:
        weights.push_back(1 / (trajectories * settings.loss_constant));
        break;
    }
  }
  return torch::tensor(weights, at::kDouble);
}

at::Tensor GrpoLoss(const TokenTerms& terms, const at::Tensor& weights,
                    const LossSettings& settings) {
  const at::Tensor policy =
      terms.factor.defined() ? terms.factor * terms.policy : terms.policy;
  if (!terms.kl.defined() || settings.kl_weight == 0) {
    return (policy * weights).sum();
  }
  return ((policy + settings.kl_weight * terms.kl) * weights).sum();
}

}  // namespace cohort
