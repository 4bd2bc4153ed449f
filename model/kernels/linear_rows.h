// y = x W^T on the CPU, float32: the chains of model/kernels/gemm.h, with W as
// checkpoints store it.
#pragma once

#include <cstdint>

namespace cohort {

struct LinearParams {
  int64_t m;
  int64_t k;
  int64_t o;
  const float* x;  // [m, k], row i at x + i * x_row
  int64_t x_row;
  const float* w;  // [o, k], contiguous
  float* y;        // [m, o], row i at y + i * y_row
  int64_t y_row;
  int threads;
};

void LinearRows(const LinearParams& params);

// Few rows are multiplied in columns: their transpose is the cheaper one.
bool IsFewRows(int64_t m, int64_t k, int64_t o);

}  // namespace cohort
