#include "model/packed_matrix.h"

#include "model/kernels/panels.h"

namespace cohort {

PackedMatrix::PackedMatrix(const float* weight, int64_t outputs, int64_t inputs)
    : outputs_(outputs),
      inputs_(inputs),
      panels_(hwy::AllocateAligned<float>(
          static_cast<size_t>(PanelFloats(outputs, inputs)))) {
  PackPanels(weight, inputs, outputs, inputs, panels_.get());
}

void PackedMatrix::Multiply(int64_t m, const float* x, int64_t x_row, float* y,
                            int64_t y_row) const {
  MultiplyPanels({.m = m,
                  .k = inputs_,
                  .o = outputs_,
                  .x = x,
                  .x_row = x_row,
                  .panels = panels_.get(),
                  .y = y,
                  .y_row = y_row,
                  .accumulate = false});
}

}  // namespace cohort
