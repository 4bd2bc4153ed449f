// Products with a weight matrix turned once, on the CPU, float32, one thread:
// W^T in panels of 64 columns that a product reads from end to end, with the
// chains of model/kernels/gemm.h.
#pragma once

#include <cstdint>

namespace cohort {

inline constexpr int64_t kPanel = 64;  // Four vectors of AVX-512.

// Panel j holds columns [64 j, 64 j + 64) of W^T, row by row; columns beyond
// the last are zero.
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
  // Panels that the next product will read, or null: their beginning is fetched
  // while this product computes, so that memory does not stand still.
  const float* next = nullptr;
};

void MultiplyPanels(const PanelsParams& params);

}  // namespace cohort
