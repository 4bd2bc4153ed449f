#include "learner/mismatch.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

namespace cohort {
namespace {

// Whether some layer's experts differ, per fed token: [N].
std::vector<bool> FindFlips(const Microbatch& batch,
                            const std::vector<at::Tensor>& routes) {
  std::vector<bool> flipped(batch.packed.offsets.back(), false);
  if (!batch.sampler_routes.defined() || routes.empty()) return flipped;
  const at::Tensor own = at::stack(routes, 1).to(at::kCPU);  // [N, L, K]
  const at::Tensor differs =
      (own != batch.sampler_routes).flatten(1).any(1).contiguous();  // [N]
  const bool* differ = differs.const_data_ptr<bool>();
  for (size_t i = 0; i < flipped.size(); ++i) flipped[i] = differ[i];
  return flipped;
}

}  // namespace

void Mismatch::Add(const Mismatch& other) {
  tokens += other.tokens;
  route_flips += other.route_flips;
  kl_sum_nats += other.kl_sum_nats;
  abs_diff_sum_nats += other.abs_diff_sum_nats;
  max_abs_diff_nats = std::max(max_abs_diff_nats, other.max_abs_diff_nats);
  trajectories.insert(trajectories.end(), other.trajectories.begin(),
                      other.trajectories.end());
}

Mismatch CompareWithSampler(const Microbatch& batch, const at::Tensor& logprobs,
                            const std::vector<at::Tensor>& routes) {
  const at::Tensor learner_cpu = logprobs.detach().to(at::kCPU).contiguous();
  const at::Tensor sampler_cpu = batch.sampler_logprobs.to(at::kCPU);
  const at::Tensor rows_cpu = batch.rows.to(at::kCPU);
  const float* learner = learner_cpu.const_data_ptr<float>();
  const float* sampler = sampler_cpu.const_data_ptr<float>();
  const at::Tensor trajectories_cpu = batch.trajectories.to(at::kCPU);
  const int64_t* rows = rows_cpu.const_data_ptr<int64_t>();
  const int64_t* trajectories = trajectories_cpu.const_data_ptr<int64_t>();
  const bool* same_policy = batch.same_policy.const_data_ptr<bool>();
  const std::vector<bool> flipped = FindFlips(batch, routes);

  Mismatch result;
  int64_t row = 0;
  int64_t m = 0;
  for (size_t s = 0; s + 1 < batch.packed.offsets.size(); ++s) {
    bool agree = true;
    Mismatch::OfTrajectory own;
    for (; row < batch.packed.offsets[s + 1]; ++row) {
      const bool sampled = m < rows_cpu.numel() && rows[m] == row;
      // Prompt rows have no flag of their own; their trajectory's tokens have.
      const bool comparable = m < rows_cpu.numel() && same_policy[m];
      agree = agree && !flipped[row];
      if (comparable && flipped[row]) ++result.route_flips;
      if (!sampled) continue;
      if (comparable && agree) {
        const double diff = double{learner[m]} - double{sampler[m]};
        ++result.tokens;
        own.trajectory = trajectories[m];
        ++own.tokens;
        own.abs_diff_sum_nats += std::abs(diff);
        result.kl_sum_nats += std::exp(diff) - diff - 1;
        result.max_abs_diff_nats =
            std::max(result.max_abs_diff_nats, std::abs(diff));
      }
      ++m;
    }
    result.abs_diff_sum_nats += own.abs_diff_sum_nats;
    if (own.tokens > 0) result.trajectories.push_back(own);
  }
  return result;
}

}  // namespace cohort
