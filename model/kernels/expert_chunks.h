// How the experts' forward and backward passes walk through their work: chunks
// of one expert's rows, and slices of its hidden units, so that what lies
// between two products stays in the second-level cache.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/kernels/expert_rows.h"
#include "model/kernels/experts.h"

namespace cohort {

// Some rows of one expert.
struct ExpertChunk {
  int64_t expert;
  const int64_t* slots;  // [rows]
  int64_t rows;
  int64_t first;  // Its place in the order of experts.
};

// Hidden units [begin, begin + width) of an expert.
struct ExpertSlice {
  int64_t begin;
  int64_t width;
};

inline int64_t SliceWidth(const ExpertsParams& p) {
  return p.i <= 192 ? p.i : 128;
}

inline int64_t ChunkRows(const ExpertsParams& p) {
  constexpr int64_t kFloats = 192 << 10;  // 768 KB.
  const int64_t rows = kFloats / (2 * p.d + 4 * SliceWidth(p));
  return std::clamp<int64_t>(rows, 96, std::max<int64_t>(96, p.n * p.k));
}

// Where one slice of the hidden values of row `place` (in the order of experts)
// lies: slice by slice, and there row by row, the gates of a row and then its
// ups.
inline int64_t HiddenPlace(const ExpertsParams& p, const ExpertSlice& slice,
                           int64_t place) {
  return p.n * p.k * 2 * slice.begin + place * 2 * slice.width;
}

template <typename Run>
void ForSlices(const ExpertsParams& p, const Run& run) {
  const int64_t step = SliceWidth(p);
  for (int64_t begin = 0; begin < p.i; begin += step) {
    run(ExpertSlice{.begin = begin, .width = std::min(step, p.i - begin)});
  }
}

// The chunks of expert e.
template <typename Run>
void ForChunks(const ExpertsParams& p, const ExpertOrder& order, int64_t e,
               const Run& run) {
  const int64_t most = ChunkRows(p);
  const int64_t end = order.begins[static_cast<size_t>(e) + 1];
  for (int64_t first = order.begins[static_cast<size_t>(e)]; first < end;
       first += most) {
    run(ExpertChunk{.expert = e,
                    .slots = order.slots.data() + first,
                    .rows = std::min(most, end - first),
                    .first = first});
  }
}

// Multiply-adds of one row of one expert.
inline double RowCost(const ExpertsParams& p) {
  return 3 * static_cast<double>(p.i) * static_cast<double>(p.d);
}

}  // namespace cohort
