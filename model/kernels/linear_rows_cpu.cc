#include <algorithm>

#include "hwy/aligned_allocator.h"
#include "model/kernels/gemm.h"
#include "model/kernels/linear_rows.h"
#include "model/kernels/parallel.h"

namespace cohort {
namespace {

// What is turned at once: [kTurnK, kTurnO] of W is 128 KB and stays in the
// second-level cache.
constexpr int64_t kTurnK = 512;
constexpr int64_t kTurnO = 64;
constexpr int64_t kFewO = 256;  // Rows of W per piece where x is turned.

// Turns W, piece by piece; x is read as it lies.
void ManyRows(const LinearParams& p, int64_t begin, int64_t end) {
  const auto turned = hwy::AllocateAligned<float>(
      static_cast<size_t>(std::min(kTurnK, p.k) * kTurnO));
  for (int64_t o = 0; o < p.o; o += kTurnO) {
    const int64_t columns = std::min(kTurnO, p.o - o);
    for (int64_t k = 0; k < p.k; k += kTurnK) {
      const int64_t depth = std::min(kTurnK, p.k - k);
      Transpose(p.w + o * p.k + k, p.k, columns, depth, turned.get(), kTurnO);
      Gemm({.m = end - begin,
            .n = columns,
            .k = depth,
            .a = p.x + begin * p.x_row + k,
            .a_row = p.x_row,
            .a_col = 1,
            .b = turned.get(),
            .b_row = kTurnO,
            .c = p.y + begin * p.y_row + o,
            .c_row = p.y_row,
            .accumulate = k > 0});
    }
  }
}

// Turns x, multiplies W by it and turns the result: columns [begin, end) of y.
void FewRows(const LinearParams& p, const float* turned, int64_t begin,
             int64_t end) {
  const auto product =
      hwy::AllocateAligned<float>(static_cast<size_t>(kFewO * p.m));
  for (int64_t o = begin; o < end; o += kFewO) {
    const int64_t rows = std::min(kFewO, end - o);
    Gemm({.m = rows,
          .n = p.m,
          .k = p.k,
          .a = p.w + o * p.k,
          .a_row = p.k,
          .a_col = 1,
          .b = turned,
          .b_row = p.m,
          .c = product.get(),
          .c_row = p.m,
          .accumulate = false});
    Transpose(product.get(), p.m, rows, p.m, p.y + o, p.y_row);
  }
}

}  // namespace

bool IsFewRows(int64_t m, int64_t k, int64_t o) {
  return m * (k + o) < k * o || m == 1;
}

void LinearRows(const LinearParams& p) {
  const double row_cost = static_cast<double>(p.k) * static_cast<double>(p.o);
  if (!IsFewRows(p.m, p.k, p.o)) {
    ForRanges(p.m, row_cost, p.threads,
              [&](int64_t begin, int64_t end) { ManyRows(p, begin, end); });
    return;
  }
  const auto turned = hwy::AllocateAligned<float>(
      static_cast<size_t>(std::max<int64_t>(p.m * p.k, 1)));
  Transpose(p.x, p.x_row, p.m, p.k, turned.get(), p.m);
  ForRanges(p.o, static_cast<double>(p.k) * static_cast<double>(p.m), p.threads,
            [&](int64_t begin, int64_t end) {
              FewRows(p, turned.get(), begin, end);
            });
}

}  // namespace cohort
