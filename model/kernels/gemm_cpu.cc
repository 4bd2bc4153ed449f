#include <algorithm>
#include <type_traits>

#include "model/kernels/gemm.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/gemm_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

constexpr int64_t kBlockK = 512;  // A panel of b stays in the caches.
constexpr int64_t kBlockM = 240;  // So does a block of a.
// Rows that lie a multiple of 4 KB apart share one set of the first-level
// cache, which holds eight of them.
constexpr int64_t kSetStride = 1024;

// All rows of one panel of columns.
template <int kVectors, bool kMasked, class D>
HWY_INLINE void Panel(D d, const GemmParams& p, int64_t j, size_t last) {
  const float* const b = p.b + j;
  const bool crowded = p.a_col == 1 && p.a_row % kSetStride == 0;
  int64_t i = 0;
  const auto rows = [&](auto count) HWY_ATTR {
    constexpr int kRows = decltype(count)::value;
    if constexpr (kRows * kVectors <= kMaxSums) {
      for (; i + kRows <= p.m; i += kRows) {
        Tile<kRows, kVectors, kMasked, /*kAhead=*/0>(
            d, {.a = p.a + i * p.a_row,
                .a_row = p.a_row,
                .a_col = p.a_col,
                .b = b,
                .b_row = p.b_row,
                .k = p.k,
                .c = p.c + i * p.c_row + j,
                .c_row = p.c_row,
                .accumulate = p.accumulate,
                .last = last,
                .ahead = nullptr});
      }
    }
  };
  if (!crowded) rows(std::integral_constant<int, 12>());
  rows(std::integral_constant<int, 6>());
  rows(std::integral_constant<int, 4>());
  rows(std::integral_constant<int, 2>());
  rows(std::integral_constant<int, 1>());
}

// Panels as wide as leaves room for enough sums with the rows there are: four
// to eight sums must be under way to hide the latency of one.
template <class D>
HWY_INLINE void Columns(D d, const GemmParams& p) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  if constexpr (kMaxSums >= 24) {
    if (p.m < 4) {
      for (; j + 8 * lanes <= p.n; j += 8 * lanes) Panel<8, false>(d, p, j, 0);
    }
    for (; j + 4 * lanes <= p.n; j += 4 * lanes) Panel<4, false>(d, p, j, 0);
  } else if (p.m < 3) {
    for (; j + 4 * lanes <= p.n; j += 4 * lanes) Panel<4, false>(d, p, j, 0);
  }
  for (; j + 2 * lanes <= p.n; j += 2 * lanes) Panel<2, false>(d, p, j, 0);
  for (; j + lanes <= p.n; j += lanes) Panel<1, false>(d, p, j, 0);
  if (j < p.n) Panel<1, true>(d, p, j, static_cast<size_t>(p.n - j));
}

void BlockOf(const GemmParams& p) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 8> eight;
  const hn::CappedTag<float, 4> four;
  if (p.n <= 4) {
    Columns(four, p);
  } else if (p.n <= 8) {
    Columns(eight, p);
  } else {
    Columns(full, p);
  }
}

void GemmImpl(const GemmParams& params) {
  for (int64_t k = 0; k < std::max<int64_t>(params.k, 1); k += kBlockK) {
    for (int64_t i = 0; i < params.m; i += kBlockM) {
      GemmParams block = params;
      block.k = std::min(kBlockK, params.k - k);
      block.m = std::min(kBlockM, params.m - i);
      block.a += i * params.a_row + k * params.a_col;
      block.b += k * params.b_row;
      block.c += i * params.c_row;
      block.accumulate = params.accumulate || k > 0;
      BlockOf(block);
    }
  }
}

// Four rows by four columns at a time; `row(i)` is where row i begins.
template <class Row>
HWY_INLINE void TransposeRows(const Row& row, int64_t rows, int64_t columns,
                              float* HWY_RESTRICT to, int64_t to_row) {
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> d2;
  for (; i + 4 <= rows; i += 4) {
    const float* const from[4] = {row(i), row(i + 1), row(i + 2), row(i + 3)};
    int64_t j = 0;
    for (; j + 4 <= columns; j += 4) {
      const auto r0 = hn::LoadU(d, from[0] + j);
      const auto r1 = hn::LoadU(d, from[1] + j);
      const auto r2 = hn::LoadU(d, from[2] + j);
      const auto r3 = hn::LoadU(d, from[3] + j);
      const auto low01 = hn::BitCast(d2, hn::InterleaveLower(d, r0, r1));
      const auto low23 = hn::BitCast(d2, hn::InterleaveLower(d, r2, r3));
      const auto up01 = hn::BitCast(d2, hn::InterleaveUpper(d, r0, r1));
      const auto up23 = hn::BitCast(d2, hn::InterleaveUpper(d, r2, r3));
      float* const at = to + j * to_row + i;
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d2, low01, low23)), d, at);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d2, low01, low23)), d,
                 at + to_row);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d2, up01, up23)), d,
                 at + 2 * to_row);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d2, up01, up23)), d,
                 at + 3 * to_row);
    }
    for (; j < columns; ++j) {
      for (int r = 0; r < 4; ++r) to[j * to_row + i + r] = from[r][j];
    }
  }
#endif
  for (; i < rows; ++i) {
    const float* const from = row(i);
    for (int64_t j = 0; j < columns; ++j) to[j * to_row + i] = from[j];
  }
}

void TransposeImpl(const float* from, int64_t from_row, int64_t rows,
                   int64_t columns, float* to, int64_t to_row) {
  TransposeRows([=](int64_t i) { return from + i * from_row; }, rows, columns,
                to, to_row);
}

void GatherTransposeImpl(const float* from, int64_t from_row,
                         const int64_t* index, int64_t rows, int64_t columns,
                         float* to, int64_t to_row) {
  TransposeRows([=](int64_t i) { return from + index[i] * from_row; }, rows,
                columns, to, to_row);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {

HWY_EXPORT(GemmImpl);
HWY_EXPORT(TransposeImpl);
HWY_EXPORT(GatherTransposeImpl);

void Gemm(const GemmParams& params) { HWY_DYNAMIC_DISPATCH(GemmImpl)(params); }

void Transpose(const float* from, int64_t from_row, int64_t rows,
               int64_t columns, float* to, int64_t to_row) {
  HWY_DYNAMIC_DISPATCH(TransposeImpl)
  (from, from_row, rows, columns, to, to_row);
}

void GatherTranspose(const float* from, int64_t from_row, const int64_t* index,
                     int64_t rows, int64_t columns, float* to, int64_t to_row) {
  HWY_DYNAMIC_DISPATCH(GatherTransposeImpl)
  (from, from_row, index, rows, columns, to, to_row);
}

}  // namespace cohort
#endif  // HWY_ONCE
