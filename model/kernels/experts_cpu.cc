#include <algorithm>

#include "hwy/aligned_allocator.h"
#include "model/kernels/expert_rows.h"
#include "model/kernels/experts.h"
#include "model/kernels/gemm.h"
#include "model/kernels/linear_rows.h"
#include "model/kernels/parallel.h"
#include "model/kernels/swiglu.h"

namespace cohort {
namespace {

using Buffer = hwy::AlignedFreeUniquePtr<float[]>;

Buffer Floats(int64_t count) {
  return hwy::AllocateAligned<float>(
      static_cast<size_t>(std::max<int64_t>(count, 1)));
}

// Rows of one expert worked on at once, so that what lies between the products
// stays in the caches.
int64_t ChunkRows(const ExpertsParams& p) {
  return std::clamp<int64_t>((int64_t{384} << 10) / (p.d + 3 * p.i), 192, 960);
}

// One chunk of one expert's rows.
struct Chunk {
  const float* gate_up;  // [2 i, d]
  const float* down;     // [d, i]
  const int64_t* slots;  // [rows]
  int64_t rows;
  int64_t first;  // Its place in expert order.
};

// Calls run(expert, chunk) in expert order.
template <typename Run>
void ForChunks(const ExpertsParams& p, const ExpertOrder& order, int64_t most,
               const Run& run) {
  for (int64_t e = 0; e < p.e; ++e) {
    const int64_t end = order.begins[static_cast<size_t>(e) + 1];
    for (int64_t first = order.begins[static_cast<size_t>(e)]; first < end;
         first += most) {
      run(e, Chunk{.gate_up = p.gate_up + e * 2 * p.i * p.d,
                   .down = p.down + e * p.d * p.i,
                   .slots = order.slots.data() + first,
                   .rows = std::min(most, end - first),
                   .first = first});
    }
  }
}

// Few rows: everything between the two turns is [columns, rows], so that W is
// read as it lies and gate and up are two runs of memory.
void ForwardFew(const ExpertsParams& p, const Chunk& c, const float* x,
                float* outputs) {
  const int64_t m = c.rows;
  const Buffer memory = Floats(m * (p.d + 2 * p.i));
  float* const turned = memory.get();            // [d, m], x and later y
  float* const hidden = memory.get() + m * p.d;  // [2 i, m]
  Transpose(x, p.d, m, p.d, turned, m);
  const auto multiply = [&](const float* w, int64_t o, int64_t k,
                            const float* b, float* to) {
    ForRanges(o, static_cast<double>(k * m), p.threads,
              [&](int64_t begin, int64_t end) {
                Gemm({.m = end - begin,
                      .n = m,
                      .k = k,
                      .a = w + begin * k,
                      .a_row = k,
                      .a_col = 1,
                      .b = b,
                      .b_row = m,
                      .c = to + begin * m,
                      .c_row = m,
                      .accumulate = false});
              });
  };
  multiply(c.gate_up, 2 * p.i, p.d, turned, hidden);
  SwiGlu(hidden, hidden + p.i * m, p.i * m, hidden);
  multiply(c.down, p.d, p.i, hidden, turned);
  const Buffer rows = Floats(m * p.d);
  Transpose(turned, m, p.d, m, rows.get(), p.d);
  for (int64_t r = 0; r < m; ++r) {
    std::copy_n(rows.get() + r * p.d, p.d, outputs + c.slots[r] * p.d);
  }
}

// Rows [begin, end) of a chunk. `hidden`: [rows, 2 i] of the whole chunk.
void ForwardRange(const ExpertsParams& p, const Chunk& c, const float* x,
                  float* hidden, int64_t begin, int64_t end, float* outputs) {
  const int64_t rows = end - begin;
  const Buffer act = Floats(rows * p.i);
  const Buffer y = Floats(rows * p.d);
  hidden += begin * 2 * p.i;
  LinearRows({.m = rows,
              .k = p.d,
              .o = 2 * p.i,
              .x = x + begin * p.d,
              .x_row = p.d,
              .w = c.gate_up,
              .y = hidden,
              .y_row = 2 * p.i,
              .threads = 1});
  for (int64_t r = 0; r < rows; ++r) {
    SwiGlu(hidden + r * 2 * p.i, hidden + r * 2 * p.i + p.i, p.i,
           act.get() + r * p.i);
  }
  LinearRows({.m = rows,
              .k = p.i,
              .o = p.d,
              .x = act.get(),
              .x_row = p.i,
              .w = c.down,
              .y = y.get(),
              .y_row = p.d,
              .threads = 1});
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(y.get() + r * p.d, p.d, outputs + c.slots[begin + r] * p.d);
  }
}

double RowCost(const ExpertsParams& p) {
  return 3 * static_cast<double>(p.i) * static_cast<double>(p.d);
}

struct BackwardBuffers {
  Buffer x;     // [rows, d], gathered
  Buffer grad;  // [rows, d], gathered
  Buffer act;   // [rows, i], times the slot's weight
  Buffer back;  // [rows, i], gradient of act but for the weight
  Buffer turn;  // [rows, 2 i], gradient of hidden
};

// Gradients of x, of the weights and of hidden, for rows [begin, end) of a
// chunk. `slots_to_x`: [n k, d].
void BackwardRange(const ExpertsParams& p, const ExpertsGrads& g,
                   const Chunk& c, int64_t begin, int64_t end,
                   const BackwardBuffers& b, float* slots_to_x) {
  const int64_t rows = end - begin;
  const int64_t* const slots = c.slots + begin;
  float* const grad = b.grad.get() + begin * p.d;
  float* const act = b.act.get() + begin * p.i;
  float* const back = b.back.get() + begin * p.i;
  float* const turn = b.turn.get() + begin * 2 * p.i;
  GatherRows(p.x, p.d, slots, rows, p.k, b.x.get() + begin * p.d);
  GatherRows(g.grad, p.d, slots, rows, p.k, grad);
  Gemm({.m = rows,
        .n = p.i,
        .k = p.d,
        .a = grad,
        .a_row = p.d,
        .a_col = 1,
        .b = c.down,
        .b_row = p.i,
        .c = back,
        .c_row = p.i,
        .accumulate = false});
  for (int64_t r = 0; r < rows; ++r) {
    const float* const hidden = g.hidden + (c.first + begin + r) * 2 * p.i;
    const float weight = p.weights == nullptr ? 1.0f : p.weights[slots[r]];
    // What a slot gives is weight * down act, so the weight's gradient is
    // grad . (down act) = (grad down) . act.
    const float dot = SwiGluBackward({.gate = hidden,
                                      .up = hidden + p.i,
                                      .grad = back + r * p.i,
                                      .factor = weight,
                                      .size = p.i,
                                      .to_gate = turn + r * 2 * p.i,
                                      .to_up = turn + r * 2 * p.i + p.i,
                                      .out = act + r * p.i});
    if (g.to_weights != nullptr) g.to_weights[slots[r]] = dot;
  }
  const Buffer to_x = Floats(rows * p.d);
  Gemm({.m = rows,
        .n = p.d,
        .k = 2 * p.i,
        .a = turn,
        .a_row = 2 * p.i,
        .a_col = 1,
        .b = c.gate_up,
        .b_row = p.d,
        .c = to_x.get(),
        .c_row = p.d,
        .accumulate = false});
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(to_x.get() + r * p.d, p.d, slots_to_x + slots[r] * p.d);
  }
}

// c (+)= a^T b, where a is [rows, m] and b [rows, n].
void AddOuter(const float* a, int64_t m, const float* b, int64_t n,
              int64_t rows, bool accumulate, int threads, float* c) {
  ForRanges(m, static_cast<double>(n * rows), threads,
            [&](int64_t begin, int64_t end) {
              Gemm({.m = end - begin,
                    .n = n,
                    .k = rows,
                    .a = a + begin,
                    .a_row = 1,
                    .a_col = m,
                    .b = b,
                    .b_row = n,
                    .c = c + begin * n,
                    .c_row = n,
                    .accumulate = accumulate});
            });
}

}  // namespace

void ExpertsForward(const ExpertsParams& p, float* out, float* hidden) {
  const ExpertOrder order = SortByExpert(p.experts, p.n * p.k, p.e);
  const int64_t most = ChunkRows(p);
  const bool direct = p.k == 1 && p.weights == nullptr;
  const Buffer slots_out = Floats(direct ? 0 : p.n * p.k * p.d);
  float* const outputs = direct ? out : slots_out.get();
  const Buffer x = Floats(most * p.d);
  const Buffer scratch = Floats(hidden == nullptr ? most * 2 * p.i : 0);
  ForChunks(p, order, most, [&](int64_t, const Chunk& c) {
    GatherRows(p.x, p.d, c.slots, c.rows, p.k, x.get());
    if (hidden == nullptr && IsFewRows(c.rows, p.d, p.i)) {
      ForwardFew(p, c, x.get(), outputs);
      return;
    }
    float* const to =
        hidden == nullptr ? scratch.get() : hidden + c.first * 2 * p.i;
    ForRanges(c.rows, RowCost(p), p.threads, [&](int64_t begin, int64_t end) {
      ForwardRange(p, c, x.get(), to, begin, end, outputs);
    });
  });
  if (direct) return;
  ForRanges(p.n, static_cast<double>(p.k * p.d), p.threads,
            [&](int64_t begin, int64_t end) {
              CombineRows(outputs, p.d, p.k, p.weights, begin, end, out);
            });
}

void ExpertsBackward(const ExpertsParams& p, const ExpertsGrads& g) {
  const ExpertOrder order = SortByExpert(p.experts, p.n * p.k, p.e);
  const int64_t most = ChunkRows(p);
  const bool direct = p.k == 1;
  const Buffer slots_to_x = Floats(direct ? 0 : p.n * p.k * p.d);
  float* const to_x = direct ? g.to_x : slots_to_x.get();
  const BackwardBuffers b = {.x = Floats(most * p.d),
                             .grad = Floats(most * p.d),
                             .act = Floats(most * p.i),
                             .back = Floats(most * p.i),
                             .turn = Floats(most * 2 * p.i)};
  for (int64_t e = 0; e < p.e; ++e) {
    const auto at = static_cast<size_t>(e);
    if (order.begins[at] != order.begins[at + 1]) continue;
    std::fill_n(g.to_gate_up + e * 2 * p.i * p.d, 2 * p.i * p.d, 0.0f);
    std::fill_n(g.to_down + e * p.d * p.i, p.d * p.i, 0.0f);
  }
  ForChunks(p, order, most, [&](int64_t e, const Chunk& c) {
    ForRanges(c.rows, RowCost(p), p.threads, [&](int64_t begin, int64_t end) {
      BackwardRange(p, g, c, begin, end, b, to_x);
    });
    const bool more = c.first != order.begins[static_cast<size_t>(e)];
    AddOuter(b.turn.get(), 2 * p.i, b.x.get(), p.d, c.rows, more, p.threads,
             g.to_gate_up + e * 2 * p.i * p.d);
    AddOuter(b.grad.get(), p.d, b.act.get(), p.i, c.rows, more, p.threads,
             g.to_down + e * p.d * p.i);
  });
  if (direct) return;
  ForRanges(p.n, static_cast<double>(p.k * p.d), p.threads,
            [&](int64_t begin, int64_t end) {
              CombineRows(to_x, p.d, p.k, nullptr, begin, end, g.to_x);
            });
}

}  // namespace cohort
