#include "model/fp8.h"

#include <algorithm>

#include "model/float_formats.h"
#include "proto/check.h"

namespace cohort {
namespace {

template <typename As>
int64_t Dequantise(const Fp8Matrix& m, int64_t begin, int64_t end,
                   typename As::Type* __restrict to) {
  const int64_t grid_columns =
      (m.columns + m.block_columns - 1) / m.block_columns;
  int64_t not_finite = 0;
  for (int64_t row = begin; row < end; ++row) {
    const float* const scales = m.scales + row / m.block_rows * grid_columns;
    for (int64_t block = 0; block < grid_columns; ++block) {
      const uint8_t* const codes =
          m.codes + row * m.columns + block * m.block_columns;
      const int64_t count =
          std::min(m.block_columns, m.columns - block * m.block_columns);
      const float scale = scales[block];
      int32_t bad = 0;  // A row's block is far below 2^31 values.
      for (int64_t i = 0; i < count; ++i) {
        const auto value = As::Round(DecodeE4M3(codes[i]) * scale);
        to[i] = value;
        bad += As::IsFinite(value) ? 0 : 1;
      }
      not_finite += bad;
      to += count;
    }
  }
  return not_finite;
}

}  // namespace

int64_t DequantiseRows(const Fp8Matrix& matrix, int64_t begin, int64_t end,
                       Dtype to, void* target) {
  if (to == Dtype::kF32) {
    return Dequantise<AsFloat>(matrix, begin, end, static_cast<float*>(target));
  }
  COHORT_CHECK(to == Dtype::kBf16);
  return Dequantise<AsBf16>(matrix, begin, end, static_cast<uint16_t*>(target));
}

}  // namespace cohort
