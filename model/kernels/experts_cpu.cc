#include <algorithm>

#include "hwy/aligned_allocator.h"
#include "model/kernels/expert_chunks.h"
#include "model/kernels/expert_rows.h"
#include "model/kernels/experts.h"
#include "model/kernels/gemm.h"
#include "model/kernels/linear_rows.h"
#include "model/kernels/panels.h"
#include "model/kernels/parallel.h"
#include "model/kernels/swiglu.h"

namespace cohort {
namespace {

using Buffer = hwy::AlignedFreeUniquePtr<float[]>;

Buffer Floats(int64_t count) {
  return hwy::AllocateAligned<float>(
      static_cast<size_t>(std::max<int64_t>(count, 1)));
}

// One expert's weights, turned: slice by slice the panels of gate, up and down.
class TurnedExpert {
 public:
  explicit TurnedExpert(const ExpertsParams& p)
      : p_(p), memory_(Floats(Size())) {}

  void Fill(int64_t expert) {
    const float* const gate = p_.gate_up + expert * 2 * p_.i * p_.d;
    const float* const down = p_.down + expert * p_.d * p_.i;
    ForSlices(p_, [&](const ExpertSlice& s) {
      PackPanels(gate + s.begin * p_.d, p_.d, s.width, p_.d, Gate(s));
      PackPanels(gate + (p_.i + s.begin) * p_.d, p_.d, s.width, p_.d, Up(s));
      PackPanels(down + s.begin, p_.i, p_.d, s.width, Down(s));
    });
  }

  float* Gate(const ExpertSlice& s) const {
    return memory_.get() + s.begin / SliceWidth(p_) * SliceSize();
  }
  float* Up(const ExpertSlice& s) const {
    return Gate(s) + PanelFloats(SliceWidth(p_), p_.d);
  }
  float* Down(const ExpertSlice& s) const {
    return Up(s) + PanelFloats(SliceWidth(p_), p_.d);
  }

 private:
  int64_t SliceSize() const {
    return 2 * PanelFloats(SliceWidth(p_), p_.d) +
           PanelFloats(p_.d, SliceWidth(p_));
  }
  int64_t Size() const {
    return (p_.i + SliceWidth(p_) - 1) / SliceWidth(p_) * SliceSize();
  }

  const ExpertsParams& p_;
  const Buffer memory_;
};

// What one thread works in, for up to ChunkRows rows.
struct Scratch {
  explicit Scratch(const ExpertsParams& p, int64_t rows)
      : x(Floats(rows * p.d)),
        y(Floats(rows * p.d)),
        hidden(Floats(rows * 2 * SliceWidth(p))),
        act(Floats(rows * SliceWidth(p))) {}
  Buffer x;       // [rows, d]
  Buffer y;       // [rows, d]
  Buffer hidden;  // [rows, 2 w]
  Buffer act;     // [rows, w]
};

// y = the expert's outputs for `rows` rows of x; `place` is the first one's in
// the order of experts.
void RunRows(const ExpertsParams& p, const TurnedExpert& turned, int64_t rows,
             int64_t place, const float* x, float* hidden_out,
             const Scratch& scratch, float* y) {
  ForSlices(p, [&](const ExpertSlice& s) {
    float* const hidden = hidden_out == nullptr
                              ? scratch.hidden.get()
                              : hidden_out + HiddenPlace(p, s, place);
    PanelsParams product = {.m = rows,
                            .k = p.d,
                            .o = s.width,
                            .x = x,
                            .x_row = p.d,
                            .panels = turned.Gate(s),
                            .y = hidden,
                            .y_row = 2 * s.width,
                            .accumulate = false};
    MultiplyPanels(product);
    product.panels = turned.Up(s);
    product.y = hidden + s.width;
    MultiplyPanels(product);
    float* const act = scratch.act.get();
    for (int64_t r = 0; r < rows; ++r) {
      const float* const gate = hidden + r * 2 * s.width;
      SwiGlu(gate, gate + s.width, s.width, act + r * s.width);
    }
    MultiplyPanels({.m = rows,
                    .k = s.width,
                    .o = p.d,
                    .x = act,
                    .x_row = s.width,
                    .panels = turned.Down(s),
                    .y = y,
                    .y_row = p.d,
                    .accumulate = s.begin > 0});
  });
}

// Rows [begin, end) of a chunk, from x to out.
void ForwardRange(const ExpertsParams& p, const TurnedExpert& turned,
                  const ExpertChunk& c, int64_t begin, int64_t end,
                  const Scratch& scratch, float* hidden, float* out) {
  const int64_t rows = end - begin;
  const int64_t place = c.first + begin;
  if (p.experts == nullptr) {  // Rows lie in order already.
    RunRows(p, turned, rows, place, p.x + place * p.d, hidden, scratch,
            out + place * p.d);
    return;
  }
  const int64_t* const slots = c.slots + begin;
  GatherRows(p.x, p.d, slots, rows, p.k, scratch.x.get());
  RunRows(p, turned, rows, place, scratch.x.get(), hidden, scratch,
          scratch.y.get());
  AddRows(scratch.y.get(), p.d, slots, rows, p.k, p.weights, out);
}

// Few rows: x is turned instead of the weights, which are read as they lie.
// Everything between the two turns is [columns, rows].
void ForwardFew(const ExpertsParams& p, const ExpertChunk& c, float* out) {
  const int64_t m = c.rows;
  const Buffer memory = Floats(m * (2 * p.d + 2 * p.i));
  float* const rows = memory.get();        // [m, d]
  float* const turned = rows + m * p.d;    // [d, m], x and later y
  float* const hidden = turned + m * p.d;  // [2 i, m]
  GatherRows(p.x, p.d, c.slots, m, p.k, rows);
  Transpose(rows, p.d, m, p.d, turned, m);
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
  multiply(p.gate_up + c.expert * 2 * p.i * p.d, 2 * p.i, p.d, turned, hidden);
  SwiGlu(hidden, hidden + p.i * m, p.i * m, hidden);
  multiply(p.down + c.expert * p.d * p.i, p.d, p.i, hidden, turned);
  Transpose(turned, m, p.d, m, rows, p.d);
  AddRows(rows, p.d, c.slots, m, p.k, p.weights, out);
}

}  // namespace

void ExpertsForward(const ExpertsParams& p, float* out, float* hidden) {
  const ExpertOrder order = SortByExpert(p.experts, p.n * p.k, p.e);
  std::fill_n(out, p.n * p.d, 0.0f);
  TurnedExpert turned(p);
  for (int64_t e = 0; e < p.e; ++e) {
    const auto at = static_cast<size_t>(e);
    const int64_t rows = order.begins[at + 1] - order.begins[at];
    const bool few = hidden == nullptr && IsFewRows(rows, p.d, p.i);
    if (!few && rows > 0) turned.Fill(e);
    ForChunks(p, order, e, [&](const ExpertChunk& c) {
      if (few) {
        ForwardFew(p, c, out);
        return;
      }
      ForRanges(c.rows, RowCost(p), p.threads, [&](int64_t begin, int64_t end) {
        const Scratch scratch(p, end - begin);
        ForwardRange(p, turned, c, begin, end, scratch, hidden, out);
      });
    });
  }
}

}  // namespace cohort
