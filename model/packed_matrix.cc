#include "model/packed_matrix.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "proto/check.h"

namespace cohort {
namespace {

constexpr int64_t kLargePage = 2 << 20;  // Bytes.
constexpr int64_t kChunk = 32 << 20;     // Bytes asked for at least.
constexpr int64_t kLine = 16;            // Floats.

// Products below this many multiply-adds stay on one thread: some 5 us. A
// product of few rows waits for memory, as long as one of kFewRows computes.
constexpr int64_t kSmallProduct = 400'000;
constexpr int64_t kFewRows = 6;
constexpr int64_t kPiecesPerThread = 3;  // A late thread leaves some to others.
constexpr int64_t kRowsToHalve = 16;

}  // namespace

void PackedMemory::Free::operator()(void* memory) const { std::free(memory); }

float* PackedMemory::Take(int64_t floats) {
  floats = (floats + kLine - 1) / kLine * kLine;
  if (floats > left_) {
    const int64_t bytes = (std::max(floats * 4, kChunk) + kLargePage - 1) /
                          kLargePage * kLargePage;
    void* const chunk = std::aligned_alloc(static_cast<size_t>(kLargePage),
                                           static_cast<size_t>(bytes));
    COHORT_CHECK(chunk != nullptr);
    madvise(chunk, static_cast<size_t>(bytes), MADV_HUGEPAGE);
    chunks_.emplace_back(static_cast<float*>(chunk));
    next_ = chunks_.back().get();
    left_ = bytes / 4;
  }
  float* const taken = next_;
  next_ += floats;
  left_ -= floats;
  return taken;
}

PackedMatrix::PackedMatrix(const float* weight, int64_t outputs, int64_t inputs,
                           PackedMemory* memory)
    : outputs_(outputs), inputs_(inputs) {
  float* const panels = memory->Take(PanelFloats(outputs, inputs));
  PackPanels(weight, inputs, outputs, inputs, panels);
  panels_ = panels;
}

// A product's work is cut into units: panels, or halves of their rows where
// there are enough, so that an odd number of panels keeps two threads busy.
struct PackedMatrix::Product {
  int64_t m;
  const float* x;
  int64_t x_row;
  float* y;
  int64_t y_row;

  int64_t UnitsOfPanel() const { return m >= kRowsToHalve ? 2 : 1; }
  Product Rows(int64_t begin, int64_t end) const {
    return {end - begin, x + begin * x_row, x_row, y + begin * y_row, y_row};
  }
};

void PackedMatrix::MultiplyUnits(const Product& product, int64_t begin,
                                 int64_t end, const float* ahead) const {
  const auto multiply = [&](const Product& rows, int64_t first, int64_t last) {
    const int64_t from = first * kPanel;
    MultiplyPanels({.m = rows.m,
                    .k = inputs_,
                    .o = std::min(last * kPanel, outputs_) - from,
                    .x = rows.x,
                    .x_row = rows.x_row,
                    .panels = panels_ + from * inputs_,
                    .y = rows.y + from,
                    .y_row = rows.y_row,
                    .accumulate = false,
                    .next = last == (end + product.UnitsOfPanel() - 1) /
                                        product.UnitsOfPanel()
                                ? ahead
                                : panels_ + last * kPanel * inputs_});
  };
  if (product.UnitsOfPanel() == 1) {
    if (begin < end) multiply(product, begin, end);
    return;
  }
  const int64_t half = product.m / 2;
  if (begin % 2 == 1 && begin < end) {
    multiply(product.Rows(half, product.m), begin / 2, begin / 2 + 1);
    ++begin;
  }
  if (begin / 2 < end / 2) multiply(product, begin / 2, end / 2);
  if (end % 2 == 1 && begin < end) {
    multiply(product.Rows(0, half), end / 2, end / 2 + 1);
  }
}

void PackedMatrix::MultiplyAlone(int64_t m, const float* x, int64_t x_row,
                                 float* y, int64_t y_row,
                                 const float* ahead) const {
  const Product product = {m, x, x_row, y, y_row};
  MultiplyUnits(product, 0, panels() * product.UnitsOfPanel(), ahead);
}

void PackedMatrix::Multiply(int64_t m, const float* x, int64_t x_row, float* y,
                            int64_t y_row, Team* team) const {
  const int64_t threads = team->threads();
  const auto ahead_of = [&](int64_t thread) {
    return next_ == nullptr ? nullptr : next_->StartOf(thread, threads);
  };
  const int64_t cost = std::max(m, kFewRows) * inputs_ * outputs_;
  if (threads == 1 || cost < kSmallProduct) {
    MultiplyAlone(m, x, x_row, y, y_row, ahead_of(0));
    return;
  }
  const Product product = {m, x, x_row, y, y_row};
  const int64_t units = panels() * product.UnitsOfPanel();
  const int64_t pieces = std::clamp<int64_t>(2 * cost / kSmallProduct / threads,
                                             1, kPiecesPerThread);
  team->ForEach(threads * pieces, [&](int64_t part) {
    const int64_t thread = part / pieces;
    const int64_t piece = part % pieces;
    const int64_t first = units * thread / threads;
    const int64_t count = units * (thread + 1) / threads - first;
    const int64_t end = first + count * (piece + 1) / pieces;
    MultiplyUnits(product, first + count * piece / pieces, end,
                  piece + 1 == pieces ? ahead_of(thread)
                                      : panels_ + end / product.UnitsOfPanel() *
                                                      kPanel * inputs_);
  });
}

}  // namespace cohort
