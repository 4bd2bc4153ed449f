#include "model/fp8.h"

#include <algorithm>

#include "model/float_formats.h"
#include "proto/check.h"

namespace cohort {
namespace {

// What every code of one block becomes. A block has far more values than there
// are codes, and a loop that looks them up needs no vectors to be fast.
template <typename As>
class BlockTable {
 public:
  explicit BlockTable(float scale) {
    for (int code = 0; code < kCodes; ++code) {
      const auto value =
          As::Round(DecodeE4M3(static_cast<uint8_t>(code)) * scale);
      values_[code] = value;
      not_finite_[code] = As::IsFinite(value) ? 0 : 1;
    }
  }

  // Returns how many of the values are NaN or infinite.
  int64_t Look(const uint8_t* __restrict codes, int64_t count,
               typename As::Type* __restrict to) const {
    int64_t bad = 0;
    for (int64_t i = 0; i < count; ++i) {
      to[i] = values_[codes[i]];
      bad += not_finite_[codes[i]];
    }
    return bad;
  }

 private:
  static constexpr int kCodes = 256;

  typename As::Type values_[kCodes];
  uint8_t not_finite_[kCodes];
};

template <typename As>
int64_t Dequantise(const Fp8Matrix& m, int64_t begin, int64_t end,
                   typename As::Type* to) {
  const int64_t grid_columns =
      (m.columns + m.block_columns - 1) / m.block_columns;
  int64_t not_finite = 0;
  for (int64_t row = begin; row < end;) {
    // Up to the end of the blocks that begin at or above `row`.
    const int64_t last = std::min(end, (row / m.block_rows + 1) * m.block_rows);
    const float* const scales = m.scales + row / m.block_rows * grid_columns;
    for (int64_t block = 0; block < grid_columns; ++block) {
      const BlockTable<As> table(scales[block]);
      const int64_t column = block * m.block_columns;
      const int64_t count = std::min(m.block_columns, m.columns - column);
      for (int64_t r = row; r < last; ++r) {
        not_finite += table.Look(m.codes + r * m.columns + column, count,
                                 to + (r - begin) * m.columns + column);
      }
    }
    row = last;
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
