#include "model/packed_matrix.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "model/kernels/panels.h"
#include "proto/check.h"

namespace cohort {
namespace {

constexpr int64_t kLargePage = 2 << 20;  // Bytes.
constexpr int64_t kChunk = 32 << 20;     // Bytes asked for at least.
constexpr int64_t kLine = 16;            // Floats.

// Products below this many multiply-adds stay on one thread: some 10 us. A
// product of few rows waits for memory, as long as one of kFewRows computes.
constexpr int64_t kSmallProduct = 1'000'000;
constexpr int64_t kFewRows = 6;
constexpr int64_t kPartsPerThread = 3;  // A late thread leaves some to others.

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

void PackedMatrix::Multiply(int64_t m, const float* x, int64_t x_row, float* y,
                            int64_t y_row, Team* team) const {
  // Panels [begin, end).
  const auto multiply = [&](int64_t begin, int64_t end) {
    const int64_t from = begin * kPanel;
    const int64_t to = std::min(end * kPanel, outputs_);
    const float* next = panels_ + end * kPanel * inputs_;
    if (to == outputs_) next = next_ == nullptr ? nullptr : next_->panels_;
    MultiplyPanels({.m = m,
                    .k = inputs_,
                    .o = to - from,
                    .x = x,
                    .x_row = x_row,
                    .panels = panels_ + from * inputs_,
                    .y = y + from,
                    .y_row = y_row,
                    .accumulate = false,
                    .next = next});
  };
  const int64_t panels = (outputs_ + kPanel - 1) / kPanel;
  const int64_t cost = std::max(m, kFewRows) * inputs_ * outputs_;
  if (team == nullptr || team->threads() == 1 || cost < kSmallProduct) {
    multiply(0, panels);
    return;
  }
  const int64_t parts =
      std::min<int64_t>({panels, kPartsPerThread * team->threads(),
                         1 + 2 * cost / kSmallProduct});
  team->ForEach(parts, [&](int64_t part) {
    multiply(panels * part / parts, panels * (part + 1) / parts);
  });
}

}  // namespace cohort
