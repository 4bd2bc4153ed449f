// Causal attention over packed sequences on the CPU, float32.
#pragma once

#include <cstdint>

namespace cohort {

// Rows are tokens. Query heads share the keys and values of one kv head in runs
// of heads / kv_heads.
struct AttentionParams {
  int64_t sequences;
  int64_t heads;
  int64_t kv_heads;        // Divides heads.
  int64_t dq;              // Width of q and k.
  int64_t dv;              // Width of v.
  const int64_t* offsets;  // [sequences + 1], rows of each sequence
  const float* q;          // [N, heads, dq], contiguous
  const float* k;          // [N, kv_heads, dq]
  const float* v;          // [N, kv_heads, dv]
  // [N, selected_row] places in its sequence of the only tokens that a row
  // attends to, none after itself, ascending, the first negative number ends
  // them; null: all up to itself.
  const int32_t* selected = nullptr;
  int64_t selected_row = 0;
  float scale;  // > 0
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
  float* to_k;           // [N, kv_heads, dq], written
  float* to_v;           // [N, kv_heads, dv], written
};

void AttentionBackward(const AttentionParams& params,
                       const AttentionGrads& grads);

}  // namespace cohort
