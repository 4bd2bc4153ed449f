// Root-mean-square normalisation of rows on the CPU, float32.
#pragma once

#include <cstdint>

namespace cohort {

struct RmsNormParams {
  int64_t n;
  int64_t d;
  const float* x;  // [n, d], row i at x + i * x_row
  int64_t x_row;
  const float* weight;  // [d]
  double eps;
  int threads;
};

// y: [n, d] contiguous.
void RmsNormForward(const RmsNormParams& params, float* y);

// grad: [n, d], of y. to_x [n, d] and to_weight [d] are written; either may be
// null.
void RmsNormBackward(const RmsNormParams& params, const float* grad,
                     float* to_x, float* to_weight);

}  // namespace cohort
