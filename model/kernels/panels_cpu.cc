#include <algorithm>
#include <type_traits>

#include "model/kernels/gemm.h"
#include "model/kernels/panels.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/panels_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

constexpr int64_t kBlockM = 240;  // Such a block of x stays in the caches.
// Depth of a panel's slices. Few passes over a slice leave little arithmetic to
// hide memory behind: a slice is then so small (16 KB) that all passes but the
// first find it in the first-level cache, where it is in no fetch's way.
constexpr int64_t kDeep = 512;
constexpr int64_t kShallow = 64;
constexpr int kWide = kMaxSums >= 24 ? 4 : 2;  // Vectors of a full tile.
constexpr int64_t kWideRows = kMaxSums / kWide;

// One slice of one panel, for a block of rows.
struct Slice {
  TileSpan span;  // Of its first row.
  int64_t rows;
  int64_t columns;         // Up to kPanel.
  int64_t lines_per_step;  // Cache lines that a pass fetches per step of k.
  int64_t lines_left;      // To be fetched at span.ahead.
};

int64_t TilesOf(int64_t rows) { return (rows + kWideRows - 1) / kWideRows; }

// How often a whole panel is read for so many rows.
int64_t PassesOf(int64_t rows) {
  const hn::CappedTag<float, 16> d;
  const int64_t width = kWide * static_cast<int64_t>(hn::Lanes(d));
  return TilesOf(rows) * (kPanel / width);
}

// The tile at row i and column j of the slice.
template <int kRows, int kVectors, bool kMasked, class D>
HWY_INLINE void TileAt(D d, int64_t i, int64_t j, Slice* slice) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  TileSpan span = slice->span;
  span.a += i * span.a_row;
  span.b += j;
  span.c += i * span.c_row + j;
  span.last = static_cast<size_t>(
      std::min(lanes, slice->columns - j - (kVectors - 1) * lanes));
  const int64_t lines = slice->lines_per_step * span.k;
  if (kMasked || slice->lines_left < lines) {
    Tile<kRows, kVectors, kMasked, 0>(d, span);
    return;
  }
  switch (slice->lines_per_step) {
    case 4:
      Tile<kRows, kVectors, kMasked, 4>(d, span);
      break;
    case 2:
      Tile<kRows, kVectors, kMasked, 2>(d, span);
      break;
    default:
      Tile<kRows, kVectors, kMasked, 1>(d, span);
  }
  slice->lines_left -= lines;
  slice->span.ahead += lines * kLineFloats;
}

// All rows of kVectors columns from j on, in tiles of nearly equal height: a
// low one would wait for the latency of its few sums.
template <int kVectors, bool kMasked, class D>
HWY_INLINE void Rows(D d, int64_t j, Slice* slice) {
  const auto run = [&](auto height, int64_t i) HWY_ATTR {
    TileAt<decltype(height)::value, kVectors, kMasked>(d, i, j, slice);
  };
  int64_t i = 0;
  for (int64_t tiles = TilesOf(slice->rows); tiles > 0; --tiles) {
    const int64_t height = (slice->rows - i) / tiles;
    switch (height) {
      case 6:
        run(std::integral_constant<int, 6>(), i);
        break;
      case 5:
        run(std::integral_constant<int, 5>(), i);
        break;
      case 4:
        run(std::integral_constant<int, 4>(), i);
        break;
      case 3:
        run(std::integral_constant<int, 3>(), i);
        break;
      case 2:
        run(std::integral_constant<int, 2>(), i);
        break;
      default:
        run(std::integral_constant<int, 1>(), i);
    }
    i += height;
  }
}

template <class D>
HWY_INLINE void RunSlice(D d, Slice* slice) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + kWide * lanes <= slice->columns; j += kWide * lanes) {
    Rows<kWide, false>(d, j, slice);
  }
  const int64_t left = slice->columns - j;
  if (left > 3 * lanes) {
    Rows<std::min(4, kWide), true>(d, j, slice);
  } else if (left > 2 * lanes) {
    Rows<std::min(3, kWide), true>(d, j, slice);
  } else if (left > lanes) {
    Rows<2, true>(d, j, slice);
  } else if (left > 0) {
    Rows<1, true>(d, j, slice);
  }
}

// Rows [begin, begin + rows) of the product.
void MultiplyBlock(const PanelsParams& p, int64_t begin, int64_t rows) {
  const hn::CappedTag<float, 16> d;
  const int64_t passes = PassesOf(rows);
  const int64_t step = passes < 4 ? kShallow : kDeep;
  for (int64_t j = 0; j < p.o; j += kPanel) {
    for (int64_t k = 0; k < std::max<int64_t>(p.k, 1); k += step) {
      const int64_t depth = std::min(step, p.k - k);
      const float* const b = p.panels + j * p.k + k * kPanel;
      const bool last = j + kPanel >= p.o && k + step >= p.k;
      const float* const ahead = last ? p.next : b + depth * kPanel;
      Slice slice = {
          .span = {.a = p.x + begin * p.x_row + k,
                   .a_row = p.x_row,
                   .a_col = 1,
                   .b = b,
                   .b_row = kPanel,
                   .k = depth,
                   .c = p.y + begin * p.y_row + j,
                   .c_row = p.y_row,
                   .accumulate = p.accumulate || k > 0,
                   .last = 0,
                   .ahead = ahead},
          .rows = rows,
          .columns = std::min(kPanel, p.o - j),
          .lines_per_step = passes == 1  ? 4
                            : passes < 4 ? 2
                                         : 1,
          .lines_left = ahead == nullptr ? 0 : depth * kPanel / kLineFloats};
      RunSlice(d, &slice);
    }
  }
}

void MultiplyImpl(const PanelsParams& p) {
  for (int64_t i = 0; i < p.m; i += kBlockM) {
    MultiplyBlock(p, i, std::min(kBlockM, p.m - i));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {

HWY_EXPORT(MultiplyImpl);

int64_t PanelFloats(int64_t o, int64_t k) {
  return (o + kPanel - 1) / kPanel * kPanel * k;
}

void PackPanels(const float* w, int64_t w_row, int64_t o, int64_t k,
                float* panels) {
  for (int64_t j = 0; j < o; j += kPanel) {
    float* const panel = panels + j * k;
    const int64_t columns = std::min(kPanel, o - j);
    Transpose(w + j * w_row, w_row, columns, k, panel, kPanel);
    for (int64_t i = 0; i < k && columns < kPanel; ++i) {
      std::fill_n(panel + i * kPanel + columns, kPanel - columns, 0.0f);
    }
  }
}

void MultiplyPanels(const PanelsParams& params) {
  HWY_DYNAMIC_DISPATCH(MultiplyImpl)(params);
}

}  // namespace cohort
#endif  // HWY_ONCE
