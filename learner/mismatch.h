// How far the sampler's log-probabilities are from the learner's: two separate
// computations of the same numbers (prefill and cached decode here, one packed
// forward there), under the same weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "learner/packer.h"

namespace cohort {

// Sums over tokens. Compared are tokens sampled by the policy now trained, at
// which sampler and learner chose the same experts for the token and all before
// it: another expert is another function, and counted apart.
struct Mismatch {
  // Of one trajectory, by its place in LossCounts::lengths.
  struct OfTrajectory {
    int64_t trajectory = 0;
    int64_t tokens = 0;
    double abs_diff_sum_nats = 0;
  };

  int64_t tokens = 0;       // Compared.
  int64_t route_flips = 0;  // Fed tokens whose experts differ in some layer.
  double kl_sum_nats = 0;   // k3 of sampler to learner.
  double abs_diff_sum_nats = 0;
  double max_abs_diff_nats = 0;
  std::vector<OfTrajectory> trajectories;  // Those with a compared token.

  void Add(const Mismatch& other);
  double kl_nats() const { return PerToken(kl_sum_nats); }
  double mean_abs_diff_nats() const { return PerToken(abs_diff_sum_nats); }

 private:
  double PerToken(double sum) const {
    return tokens == 0 ? 0 : sum / static_cast<double>(tokens);
  }
};

// Compares one microbatch.
//   logprobs: [M] float32, the learner's
//   routes: per MoE layer [N, K] int64, the learner's
Mismatch CompareWithSampler(const Microbatch& batch, const at::Tensor& logprobs,
                            const std::vector<at::Tensor>& routes);

}  // namespace cohort
