#include <algorithm>

#include "hwy/aligned_allocator.h"
#include "model/kernels/expert_chunks.h"
#include "model/kernels/expert_rows.h"
#include "model/kernels/experts.h"
#include "model/kernels/gemm.h"
#include "model/kernels/parallel.h"
#include "model/kernels/swiglu.h"

namespace cohort {
namespace {

using Buffer = hwy::AlignedFreeUniquePtr<float[]>;

Buffer Floats(int64_t count) {
  return hwy::AllocateAligned<float>(
      static_cast<size_t>(std::max<int64_t>(count, 1)));
}

// Of one chunk: its rows, and what one slice of hidden units gives for them.
struct Scratch {
  explicit Scratch(const ExpertsParams& p)
      : Scratch(p, ChunkRows(p), SliceWidth(p)) {}

  Buffer x_rows;                // [rows, d]
  Buffer grad_rows;             // [rows, d]
  Buffer to_x;                  // [rows, d]
  Buffer act;                   // [rows, w], times the slot's weight
  Buffer back;                  // [rows, w], gradient of act but for the weight
  Buffer turn;                  // [rows, 2 w], gradient of gate and up
  const float* x = nullptr;     // [rows, d]: x_rows, or where they lie already
  const float* grad = nullptr;  // [rows, d], likewise

 private:
  Scratch(const ExpertsParams& p, int64_t rows, int64_t width)
      : x_rows(Floats(rows * p.d)),
        grad_rows(Floats(rows * p.d)),
        to_x(Floats(rows * p.d)),
        act(Floats(rows * width)),
        back(Floats(rows * width)),
        turn(Floats(rows * 2 * width)) {}
};

class Backward {
 public:
  Backward(const ExpertsParams& params, const ExpertsGrads& grads)
      : p(params), g(grads), s(params) {}

  void Run() {
    const ExpertOrder order = SortByExpert(p.experts, p.n * p.k, p.e);
    std::fill_n(g.to_x, p.n * p.d, 0.0f);
    if (g.to_weights != nullptr) std::fill_n(g.to_weights, p.n * p.k, 0.0f);
    for (int64_t e = 0; e < p.e; ++e) {
      const int64_t first = order.begins[static_cast<size_t>(e)];
      if (first == order.begins[static_cast<size_t>(e) + 1]) {
        std::fill_n(g.to_gate_up + e * 2 * p.i * p.d, 2 * p.i * p.d, 0.0f);
        std::fill_n(g.to_down + e * p.d * p.i, p.d * p.i, 0.0f);
      }
      ForChunks(p, order, e, [&](const ExpertChunk& c) {
        RunChunk(c, /*add=*/c.first != first);
      });
    }
  }

 private:
  void RunChunk(const ExpertChunk& c, bool add) {
    if (p.experts == nullptr) {
      s.x = p.x + c.first * p.d;
      s.grad = g.grad + c.first * p.d;
    } else {
      GatherRows(p.x, p.d, c.slots, c.rows, p.k, s.x_rows.get());
      GatherRows(g.grad, p.d, c.slots, c.rows, p.k, s.grad_rows.get());
      s.x = s.x_rows.get();
      s.grad = s.grad_rows.get();
    }
    ForSlices(p, [&](const ExpertSlice& slice) {
      ForRanges(c.rows,
                RowCost(p) / static_cast<double>(p.i) *
                    static_cast<double>(slice.width),
                p.threads, [&](int64_t begin, int64_t end) {
                  RunRows(c, slice, begin, end);
                });
      AddWeightGrads(c, slice, add);
    });
    if (p.experts == nullptr) {
      std::copy_n(s.to_x.get(), c.rows * p.d, g.to_x + c.first * p.d);
    } else {
      AddRows(s.to_x.get(), p.d, c.slots, c.rows, p.k, nullptr, g.to_x);
    }
  }

  // Gradients of the hidden values and, through them, of x; rows [begin, end).
  void RunRows(const ExpertChunk& c, const ExpertSlice& slice, int64_t begin,
               int64_t end) {
    const int64_t rows = end - begin;
    const int64_t w = slice.width;
    float* const back = s.back.get() + begin * w;
    float* const turn = s.turn.get() + begin * 2 * w;
    float* const to_x = s.to_x.get() + begin * p.d;
    Gemm({.m = rows,
          .n = w,
          .k = p.d,
          .a = s.grad + begin * p.d,
          .a_row = p.d,
          .a_col = 1,
          .b = p.down + c.expert * p.d * p.i + slice.begin,
          .b_row = p.i,
          .c = back,
          .c_row = w,
          .accumulate = false});
    const float* const hidden =
        g.hidden + HiddenPlace(p, slice, c.first + begin);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t slot = c.slots[begin + r];
      // What a slot gives is weight * down act, so the weight's gradient is
      // grad . (down act) = (grad down) . act.
      const float dot = SwiGluBackward(
          {.gate = hidden + r * 2 * w,
           .up = hidden + r * 2 * w + w,
           .grad = back + r * w,
           .factor = p.weights == nullptr ? 1.0f : p.weights[slot],
           .size = w,
           .to_gate = turn + r * 2 * w,
           .to_up = turn + r * 2 * w + w,
           .out = s.act.get() + (begin + r) * w});
      if (g.to_weights != nullptr) g.to_weights[slot] += dot;
    }
    const float* const gate =
        p.gate_up + (c.expert * 2 * p.i + slice.begin) * p.d;
    const auto through = [&](const float* from, const float* weights,
                             bool accumulate) {
      Gemm({.m = rows,
            .n = p.d,
            .k = w,
            .a = from,
            .a_row = 2 * w,
            .a_col = 1,
            .b = weights,
            .b_row = p.d,
            .c = to_x,
            .c_row = p.d,
            .accumulate = accumulate});
    };
    through(turn, gate, slice.begin > 0);
    through(turn + w, gate + p.i * p.d, true);
  }

  // The chunk's part of the gradients of the slice's weights.
  void AddWeightGrads(const ExpertChunk& c, const ExpertSlice& slice,
                      bool add) {
    const int64_t w = slice.width;
    float* const to_gate =
        g.to_gate_up + (c.expert * 2 * p.i + slice.begin) * p.d;
    const auto outer = [&](const float* a, int64_t a_row, int64_t m,
                           const float* b, int64_t n, float* to,
                           int64_t to_row) {
      ForRanges(m, static_cast<double>(n * c.rows), p.threads,
                [&](int64_t begin, int64_t end) {
                  Gemm({.m = end - begin,
                        .n = n,
                        .k = c.rows,
                        .a = a + begin,
                        .a_row = 1,
                        .a_col = a_row,
                        .b = b,
                        .b_row = n,
                        .c = to + begin * to_row,
                        .c_row = to_row,
                        .accumulate = add});
                });
    };
    outer(s.turn.get(), 2 * w, w, s.x, p.d, to_gate, p.d);
    outer(s.turn.get() + w, 2 * w, w, s.x, p.d, to_gate + p.i * p.d, p.d);
    outer(s.grad, p.d, p.d, s.act.get(), w,
          g.to_down + c.expert * p.d * p.i + slice.begin, p.i);
  }

  const ExpertsParams& p;
  const ExpertsGrads& g;
  Scratch s;
};

}  // namespace

void ExpertsBackward(const ExpertsParams& params, const ExpertsGrads& grads) {
  Backward(params, grads).Run();
}

}  // namespace cohort
