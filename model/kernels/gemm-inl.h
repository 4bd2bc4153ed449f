// The innermost loop of the matrix products, compiled once per instruction set:
// a tile of sums held in registers.

// Include guard of a header that is compiled once per instruction set.
#if defined(COHORT_MODEL_KERNELS_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef COHORT_MODEL_KERNELS_GEMM_INL_H_
#undef COHORT_MODEL_KERNELS_GEMM_INL_H_
#else
#define COHORT_MODEL_KERNELS_GEMM_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Sums held in registers by one tile: AVX-512 has 32, AVX2 16.
constexpr int kMaxSums = HWY_TARGET <= HWY_AVX3 ? 24 : 12;
constexpr int64_t kLineFloats = 16;  // Of a cache line.

// Where a tile's operands lie, as in GemmParams (model/kernels/gemm.h).
struct TileSpan {
  const float* a;
  int64_t a_row;
  int64_t a_col;
  const float* b;
  int64_t b_row;
  int64_t k;
  float* c;
  int64_t c_row;
  bool accumulate;
  size_t last;         // Lanes in use of the last vector, where masked.
  const float* ahead;  // What to fetch into the second-level cache on the way.
};

// kRows x (kVectors * lanes) elements of c: each one chain of fused
// multiply-adds over k. Fetches kAhead cache lines with every step of k.
template <int kRows, int kVectors, bool kMasked, int kAhead, class D>
HWY_INLINE void Tile(D d, const TileSpan& span) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto mask = hn::FirstN(d, span.last);
  const auto load = [&](const float* p, int v) HWY_ATTR {
    return kMasked && v == kVectors - 1 ? hn::MaskedLoad(mask, d, p + v * lanes)
                                        : hn::LoadU(d, p + v * lanes);
  };
  float* HWY_RESTRICT c = span.c;
  hn::Vec<D> sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      sum[i][v] = span.accumulate ? load(c + i * span.c_row, v) : hn::Zero(d);
    }
  }
  const float* HWY_RESTRICT a = span.a;
  const float* HWY_RESTRICT b = span.b;
  const float* ahead = span.ahead;
  const int64_t a_row = span.a_row;
  for (int64_t step = 0; step < span.k; ++step) {
    hn::Vec<D> right[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) right[v] = load(b, v);
#pragma GCC unroll 4
    for (int line = 0; line < kAhead; ++line) {
      __builtin_prefetch(ahead + line * kLineFloats, 0, 2);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const auto left = hn::Set(d, a[i * a_row]);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        sum[i][v] = hn::MulAdd(left, right[v], sum[i][v]);
      }
    }
    a += span.a_col;
    b += span.b_row;
    ahead += kAhead * kLineFloats;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      float* const to = c + i * span.c_row + v * lanes;
      if (kMasked && v == kVectors - 1) {
        hn::BlendedStore(sum[i][v], mask, d, to);
      } else {
        hn::StoreU(sum[i][v], d, to);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
