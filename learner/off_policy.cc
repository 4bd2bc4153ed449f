#include "learner/off_policy.h"

#include <torch/types.h>

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace cohort {

absl::StatusOr<ImportanceMode> ParseImportanceMode(std::string_view name) {
  if (name == "none") return ImportanceMode::kNone;
  if (name == "token_truncate") return ImportanceMode::kTokenTruncate;
  if (name == "token_mask") return ImportanceMode::kTokenMask;
  if (name == "sequence_truncate") return ImportanceMode::kSequenceTruncate;
  if (name == "sequence_mask") return ImportanceMode::kSequenceMask;
  return absl::InvalidArgumentError(absl::StrCat(
      "importance '", std::string(name),
      "': must be none, token_truncate, token_mask, sequence_truncate or "
      "sequence_mask"));
}

at::Tensor SumOverTrajectories(const at::Tensor& values,
                               const at::Tensor& trajectories) {
  if (values.numel() == 0) return values;
  const int64_t count = trajectories.max().item<int64_t>() + 1;
  const at::Tensor sums =
      at::zeros({count}, values.options()).index_add(0, trajectories, values);
  return sums.index_select(0, trajectories);
}

at::Tensor MeanOverTrajectories(const at::Tensor& values,
                                const at::Tensor& trajectories) {
  return SumOverTrajectories(values, trajectories) /
         SumOverTrajectories(at::ones_like(values), trajectories);
}

at::Tensor ImportanceWeights(const at::Tensor& learner,
                             const at::Tensor& engine,
                             const at::Tensor& trajectories,
                             const OffPolicySettings& settings) {
  const ImportanceMode mode = settings.importance;
  if (mode == ImportanceMode::kNone) return {};
  at::Tensor gap = (learner - engine).detach();
  if (mode == ImportanceMode::kSequenceTruncate ||
      mode == ImportanceMode::kSequenceMask) {
    gap = SumOverTrajectories(gap, trajectories);
  }
  const at::Tensor weights = gap.exp();
  const double low = settings.importance_min;
  const double high = settings.importance_max;
  if (mode == ImportanceMode::kTokenTruncate ||
      mode == ImportanceMode::kSequenceTruncate) {
    return weights.clamp(low, high);
  }
  return weights.masked_fill((weights < low) | (weights > high), 0);
}

at::Tensor SequenceMask(const at::Tensor& log_ratio,
                        const at::Tensor& advantages,
                        const at::Tensor& trajectories,
                        const OffPolicySettings& settings) {
  if (std::isinf(settings.sequence_mask)) return {};
  const at::Tensor drop =
      -MeanOverTrajectories(log_ratio.detach(), trajectories);
  return ((drop <= settings.sequence_mask) | (advantages >= 0))
      .to(log_ratio.scalar_type());
}

}  // namespace cohort
