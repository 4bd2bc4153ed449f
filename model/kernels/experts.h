// SwiGLU experts on the CPU, float32: tokens are sorted by expert, each expert
// runs as dense products over its tokens, and every token's outputs are added
// in ascending order of its experts.
#pragma once

#include <cstdint>

namespace cohort {

// Slot n * k + j is token n's j-th expert.
struct ExpertsParams {
  int64_t n;               // Tokens.
  int64_t k;               // Experts per token.
  int64_t e;               // Experts.
  int64_t d;               // Width.
  int64_t i;               // Hidden width of one expert.
  const float* x;          // [n, d], contiguous
  const int64_t* experts;  // [n, k] in [0, e); null: one expert, e = k = 1
  const float* weights;    // [n, k]; null: all one
  const float* gate_up;    // [e, 2 i, d], contiguous
  const float* down;       // [e, d, i], contiguous
  int threads;
};

// out: [n, d]. hidden: n * k * 2 i floats, what gate and up gave, in an order
// that only the backward pass knows; null where there will be none.
void ExpertsForward(const ExpertsParams& params, float* out, float* hidden);

struct ExpertsGrads {
  const float* hidden;  // What ExpertsForward gave.
  const float* grad;    // [n, d], of out, contiguous
  float* to_x;          // [n, d], written
  float* to_weights;    // [n, k], written; may be null
  float* to_gate_up;    // [e, 2 i, d], written
  float* to_down;       // [e, d, i], written
};

void ExpertsBackward(const ExpertsParams& params, const ExpertsGrads& grads);

}  // namespace cohort
