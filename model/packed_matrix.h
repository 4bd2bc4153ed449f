// A weight matrix turned once for many products on the CPU, float32, in the
// panels of model/kernels/panels.h.
#pragma once

#include <cstdint>

#include "hwy/aligned_allocator.h"

namespace cohort {

class PackedMatrix {
 public:
  PackedMatrix() = default;

  // weight: [outputs, inputs], contiguous; not kept.
  PackedMatrix(const float* weight, int64_t outputs, int64_t inputs);

  // y = x W^T, with the chains of model/kernels/gemm.h: the bits of Linear.
  //   x: [m, inputs], row i at x + i * x_row; y: [m, outputs], likewise
  void Multiply(int64_t m, const float* x, int64_t x_row, float* y,
                int64_t y_row) const;

  int64_t outputs() const { return outputs_; }
  int64_t inputs() const { return inputs_; }

 private:
  int64_t outputs_ = 0;
  int64_t inputs_ = 0;
  hwy::AlignedFreeUniquePtr<float[]> panels_;
};

}  // namespace cohort
