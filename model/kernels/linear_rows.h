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

// W^T in panels of 64 columns, which a product reads from end to end: panel j
// holds columns [64 j, 64 j + 64), row by row.
int64_t PanelFloats(int64_t o, int64_t k);
// w: [o, k], row i at w + i * w_row; panels: PanelFloats(o, k) floats, written.
void PackPanels(const float* w, int64_t w_row, int64_t o, int64_t k,
                float* panels);

struct PanelsParams {
  int64_t m;
  int64_t k;
  int64_t o;
  const float* x;  // [m, k], row i at x + i * x_row
  int64_t x_row;
  const float* panels;
  float* y;  // [m, o], row i at y + i * y_row
  int64_t y_row;
  bool accumulate;  // y += x W^T instead of y = x W^T.
};

// One thread.
void MultiplyPanels(const PanelsParams& params);

// Few rows are multiplied in columns: their transpose is the cheaper one.
bool IsFewRows(int64_t m, int64_t k, int64_t o);

}  // namespace cohort
