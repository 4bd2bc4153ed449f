#include "model/packed_matrix.h"

#include <algorithm>

#include "model/kernels/gemm.h"

namespace cohort {
namespace {

constexpr int64_t kPanel = 64;  // Four vectors of AVX-512.

}  // namespace

PackedMatrix::PackedMatrix(const float* weight, int64_t outputs, int64_t inputs)
    : outputs_(outputs), inputs_(inputs) {
  const int64_t panels = (outputs + kPanel - 1) / kPanel;
  panels_ = hwy::AllocateAligned<float>(
      static_cast<size_t>(panels * kPanel * inputs));
  for (int64_t o = 0; o < outputs; o += kPanel) {
    Transpose(weight + o * inputs, inputs, std::min(kPanel, outputs - o),
              inputs, panels_.get() + o * inputs, kPanel);
  }
}

void PackedMatrix::Multiply(int64_t m, const float* x, int64_t x_row, float* y,
                            int64_t y_row) const {
  for (int64_t o = 0; o < outputs_; o += kPanel) {
    Gemm({.m = m,
          .n = std::min(kPanel, outputs_ - o),
          .k = inputs_,
          .a = x,
          .a_row = x_row,
          .a_col = 1,
          .b = panels_.get() + o * inputs_,
          .b_row = kPanel,
          .c = y + o,
          .c_row = y_row,
          .accumulate = false});
  }
}

}  // namespace cohort
