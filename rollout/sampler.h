// Logits -> a token and its log-probability.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/types.pb.h"

namespace cohort {

struct SampledToken {
  int32_t token;
  float logprob;  // Nats, of the full softmax at the sampling temperature;
                  // at temperature 1 where the choice is greedy.
};

// Single-threaded: keeps its scratch memory between rows.
class Sampler {
 public:
  // Chooses by inverting the cumulative distribution, tokens in ascending
  // order. The outcome is a function of the arguments alone.
  //   logits: [V], -inf allowed
  //   sampling: temperature 0 is greedy, ties to the lowest token; top-k comes
  //     before top-p, which keeps the fewest tokens that have at least top_p of
  //     what is left
  //   uniform: in [0, 1); not looked at where greedy
  // kInternal when a logit is NaN or +inf, or all are -inf.
  absl::StatusOr<SampledToken> Sample(absl::Span<const float> logits,
                                      const Sampling& sampling, double uniform);

 private:
  int64_t ChooseFromAll(double uniform) const;
  void KeepLikeliest(absl::Span<const float> logits, const Sampling& sampling);
  int64_t ChooseFromKept(double uniform);

  std::vector<float> numerators_;  // [V]
  std::vector<float> run_sums_;
  std::vector<int32_t> kept_;
};

}  // namespace cohort
