// Natural-log probability of one chosen token per row, without writing the
// [N, V] log-softmax to memory:
//
//   out[n] = logits[n, target[n]] / t - log(sum_v exp(logits[n, v] / t))
//
// Memory-bound: reads N * V values once (CUDA) or twice from the caches (CPU).
#pragma once

#include <cstdint>

namespace cohort {

struct TokenLogprobParams {
  const void* logits;     // [N, V] float32, or bfloat16 on CUDA; contiguous
  const int64_t* target;  // [N] in [0, V)
  float* out;             // [N], nats
  float* entropy;         // [N], nats, of the whole row; may be null
  float* log_sum;         // [N], the second term above; may be null
  int64_t n;
  int64_t v;
  float inv_temperature;  // 1 / t; logits are scaled by it first
};

void TokenLogprobCpu(const TokenLogprobParams& params);

// Turns logits into the gradient with respect to them, in place:
//   grad[n] * (1[v = target] - exp(logit / t - log_sum)) / t.
struct TokenLogprobGrads {
  float* logits;          // [N, V]
  const int64_t* target;  // [N]
  const float* log_sum;   // [N]
  const float* grad;      // [N], of out
  int64_t n;
  int64_t v;
  float inv_temperature;
};

void TokenLogprobBackwardCpu(const TokenLogprobGrads& grads);

}  // namespace cohort
