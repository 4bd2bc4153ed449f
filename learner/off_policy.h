// Factors on the policy term for tokens that another policy sampled than the
// one that learns: constants that the gradient does not go through, and that do
// not touch the KL penalty.
//
// Source: truncated importance sampling, fengyao.notion.site "off-policy-rl"
// (2025), as in verl and TRL 1.16; masked in both directions it is IcePop
// (Ring-1T, arXiv:2510.18855); the sequence mask of DeepSeek-V3.2
// (arXiv:2512.02556), section 3.1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <string_view>

#include "absl/status/statusor.h"

namespace cohort {

enum class ImportanceMode {
  kNone,
  kTokenTruncate,     // The weight of each token, clamped.
  kTokenMask,         // 0 where it is outside the bounds.
  kSequenceTruncate,  // One weight a trajectory: the product of its tokens'.
  kSequenceMask,
};

struct OffPolicySettings {
  ImportanceMode importance = ImportanceMode::kNone;
  double importance_min = 0;
  double importance_max = 2;
  // Trajectories of negative advantage whose tokens are less likely under the
  // policy than they were, by more nats a token on the mean than this, have no
  // policy term; infinity: none is left out.
  double sequence_mask = std::numeric_limits<double>::infinity();
};

// kInvalidArgument on an unknown name.
absl::StatusOr<ImportanceMode> ParseImportanceMode(std::string_view name);

// [M] sums of `values` over each token's trajectory.
//   trajectories: [M] int64, not negative
at::Tensor SumOverTrajectories(const at::Tensor& values,
                               const at::Tensor& trajectories);
at::Tensor MeanOverTrajectories(const at::Tensor& values,
                                const at::Tensor& trajectories);

// exp(learner - engine) of the policy that sampled, cut as `settings` say.
//   learner, engine: [M] log-probabilities under that policy, by both programs
// Returns [M]; undefined under kNone.
at::Tensor ImportanceWeights(const at::Tensor& learner,
                             const at::Tensor& engine,
                             const at::Tensor& trajectories,
                             const OffPolicySettings& settings);

// [M], 0 where DeepSeek-V3.2's mask leaves a token out, else 1; undefined where
// none is asked for.
//   log_ratio: [M], policy - sampler
at::Tensor SequenceMask(const at::Tensor& log_ratio,
                        const at::Tensor& advantages,
                        const at::Tensor& trajectories,
                        const OffPolicySettings& settings);

}  // namespace cohort
