// Causal attention over packed sequences on the CPU, float32.
#pragma once

#include <cstdint>

namespace cohort {

// One head of one sequence per unit of work; rows are tokens.
struct AttentionParams {
  int64_t sequences;
  int64_t heads;
  int64_t dq;              // Width of q and k.
  int64_t dv;              // Width of v.
  const int64_t* offsets;  // [sequences + 1], rows of each sequence
  const float* q;          // [N, heads, dq], contiguous
  const float* k;          // [N, heads, dq]
  const float* v;          // [N, heads, dv]
  float scale;             // > 0
  int threads;
};

// out: [N, heads, dv]. log_sum: [N, heads], the log of each row's sum of
// exponentials, for the backward pass; may be null.
void AttentionForward(const AttentionParams& params, float* out,
                      float* log_sum);

struct AttentionGrads {
  const float* out;      // What AttentionForward gave.
  const float* log_sum;  // The same.
  const float* grad;     // [N, heads, dv], of out
  float* to_q;           // [N, heads, dq], written
  float* to_k;           // [N, heads, dq], written
  float* to_v;           // [N, heads, dv], written
};

void AttentionBackward(const AttentionParams& params,
                       const AttentionGrads& grads);

}  // namespace cohort
