#include "rollout/row_sampler.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>

namespace cohort {
namespace {

// Some 100 us of sampling: what is worth a second thread.
constexpr int64_t kLogitsPerThread = 300'000;

}  // namespace

std::vector<absl::StatusOr<SampledToken>> RowSampler::Sample(
    const at::Tensor& logits, const std::vector<Draw>& draws) {
  const at::Tensor rows = logits.to(at::kCPU).contiguous();
  const int64_t v = rows.size(1);
  const float* const data = rows.const_data_ptr<float>();
  const auto count = static_cast<int64_t>(draws.size());
  std::vector<absl::StatusOr<SampledToken>> sampled(
      draws.size(), SampledToken{.token = 0, .logprob = 0});
  if (team_ == nullptr || team_->threads() != at::get_num_threads()) {
    team_ = std::make_unique<Team>(at::get_num_threads());
  }
  const int64_t parts = std::clamp<int64_t>(
      count * v / kLogitsPerThread, 1,
      std::min<int64_t>(std::max<int64_t>(count, 1), 4 * team_->threads()));
  team_->ForEach(parts, [&](int64_t part) {
    Sampler sampler;
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts;
         ++i) {
      const auto& [sequence, row] = draws[static_cast<size_t>(i)];
      sampled[static_cast<size_t>(i)] = sampler.Sample(
          {data + row * v, static_cast<size_t>(v)},
          sequence->prompt->lease.sampling(),
          sequence->random.Uniform(sequence->trajectory.tokens_size()));
    }
  });
  return sampled;
}

}  // namespace cohort
