// A weight matrix turned once for many products on the CPU, float32, in the
// panels of model/kernels/panels.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/kernels/team.h"

namespace cohort {

// Memory that is read from end to end again and again: in large pages where the
// system has them. Freed all at once.
class PackedMemory {
 public:
  // Uninitialised, aligned to a cache line.
  float* Take(int64_t floats);

 private:
  struct Free {
    void operator()(void* memory) const;
  };

  std::vector<std::unique_ptr<float, Free>> chunks_;
  float* next_ = nullptr;
  int64_t left_ = 0;  // Floats at next_.
};

class PackedMatrix {
 public:
  PackedMatrix() = default;

  // weight: [outputs, inputs], contiguous; not kept. `memory` must outlive the
  // matrix.
  PackedMatrix(const float* weight, int64_t outputs, int64_t inputs,
               PackedMemory* memory);

  // y = x W^T, with the chains of model/kernels/gemm.h: the bits of Linear.
  //   x: [m, inputs], row i at x + i * x_row; y: [m, outputs], likewise
  //   team: shares the outputs among its threads; null: one thread
  void Multiply(int64_t m, const float* x, int64_t x_row, float* y,
                int64_t y_row, Team* team = nullptr) const;

  // What is usually multiplied after this, or null: its beginning is fetched
  // meanwhile. Must outlive the matrix.
  void SetNext(const PackedMatrix* next) { next_ = next; }

  int64_t outputs() const { return outputs_; }
  int64_t inputs() const { return inputs_; }

 private:
  int64_t outputs_ = 0;
  int64_t inputs_ = 0;
  const float* panels_ = nullptr;
  const PackedMatrix* next_ = nullptr;
};

}  // namespace cohort
