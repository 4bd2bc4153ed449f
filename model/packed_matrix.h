// A weight matrix turned once for many products on the CPU, float32, in the
// panels of model/kernels/panels.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/kernels/panels.h"
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

  // y = x W^T, with the chains of model/kernels/gemm.h: the bits of Linear. The
  // team's threads share the outputs, and fetch their beginnings of the matrix
  // that comes next.
  //   x: [m, inputs], row i at x + i * x_row; y: [m, outputs], likewise
  void Multiply(int64_t m, const float* x, int64_t x_row, float* y,
                int64_t y_row, Team* team) const;

  // The same on the caller's thread alone.
  //   ahead: what it reads after this, fetched meanwhile; may be null
  void MultiplyAlone(int64_t m, const float* x, int64_t x_row, float* y,
                     int64_t y_row, const float* ahead) const;

  // What is usually multiplied after this, or null. Must outlive the matrix.
  void SetNext(const PackedMatrix* next) { next_ = next; }
  const PackedMatrix* next() const { return next_; }

  // Where one of so many threads begins to read.
  const float* StartOf(int64_t thread, int64_t threads) const {
    return panels_ + panels() * thread / threads * kPanel * inputs_;
  }

  int64_t outputs() const { return outputs_; }
  int64_t inputs() const { return inputs_; }

 private:
  struct Product;

  int64_t panels() const { return (outputs_ + kPanel - 1) / kPanel; }
  // Units [begin, end) of a product; `ahead` as above.
  void MultiplyUnits(const Product& product, int64_t begin, int64_t end,
                     const float* ahead) const;

  int64_t outputs_ = 0;
  int64_t inputs_ = 0;
  const float* panels_ = nullptr;
  const PackedMatrix* next_ = nullptr;
};

}  // namespace cohort
