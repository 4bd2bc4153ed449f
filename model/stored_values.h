// The values of stored tensors, converted straight to the dtype computed in.
// Without LibTorch: bytes in, bytes out.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/safetensors.h"

namespace cohort {

// F32, BF16, F16, and the F8_E8M0 of scales.
bool IsConvertible(Dtype dtype);

// Writes tensor.Elements() values of dtype `to`, kF32 or kBf16, to `target`:
// exactly, or with one rounding to nearest even. Returns how many of the
// written values are NaN or infinite. kUnimplemented, naming the tensor, when
// its dtype is not convertible.
absl::StatusOr<int64_t> ConvertTensor(const StoredTensor& tensor, Dtype to,
                                      void* target);

// One weight on its way into memory.
struct WeightCopy {
  const SafetensorsFile* file;
  const StoredTensor* from;    // Convertible, or F8_E4M3 with `scales`
  const StoredTensor* scales;  // [ceil(rows / block_rows),
                               //  ceil(columns / block_columns)], convertible;
                               // null where `from` is not FP8
  int64_t block_rows;
  int64_t block_columns;
  Dtype to;                // kF32 or kBf16
  void* target;            // [the shape of `from`], adjacent
  int64_t not_finite = 0;  // Set: written values that are NaN or infinite.
};

// Copies all, in order, on `threads` threads over pieces of tensors. What was
// read is given back to the system piece by piece, so that the files' pages do
// not add up in this process's memory.
void CopyWeights(absl::Span<WeightCopy> copies, int threads);

}  // namespace cohort
