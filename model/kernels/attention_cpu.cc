#include <algorithm>
#include <cmath>
#include <limits>

#include "hwy/aligned_allocator.h"
#include "model/kernels/attention.h"
#include "model/kernels/gemm.h"
#include "model/kernels/parallel.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/attention_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

// Scores of one row -> unnormalised probabilities: the first `visible` columns
// become exp((s - max) * scale), the others up to `width` zero.
// Returns their sum; *max is the largest scaled score.
float SoftmaxRow(float* HWY_RESTRICT row, int64_t visible, int64_t width,
                 float scale, float* max) {
  const Eight d;
  auto most = hn::Set(d, row[0]);
  ForLanes(d, visible, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto used = hn::FirstN(d, static_cast<size_t>(count));
    most =
        hn::Max(most, hn::IfThenElse(used, LoadPart(d, row + i, count), most));
  });
  const auto largest = hn::MaxOfLanes(d, most);
  const auto factor = hn::Set(d, scale);
  auto sum = hn::Zero(d);
  ForLanes(d, visible, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto used = hn::FirstN(d, static_cast<size_t>(count));
    const auto score = LoadPart(d, row + i, count);
    const auto power = ExpOf(d, hn::Mul(hn::Sub(score, largest), factor));
    sum = hn::Add(sum, hn::IfThenElseZero(used, power));
    StorePart(power, d, row + i, count);
  });
  std::fill(row + visible, row + width, 0.0f);
  *max = hn::GetLane(largest) * scale;
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

void ScaleRow(float* HWY_RESTRICT row, int64_t size, float factor) {
  const Eight d;
  const auto by = hn::Set(d, factor);
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    StorePart(hn::Mul(LoadPart(d, row + i, count), by), d, row + i, count);
  });
}

float DotRow(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
             int64_t size) {
  const Eight d;
  auto sum = hn::Zero(d);
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    sum = hn::MulAdd(LoadPart(d, a + i, count), LoadPart(d, b + i, count), sum);
  });
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// Scores and the gradient of probabilities -> probabilities (in `scores`) and
// the gradient of scores (in `slopes`).
void SlopeRow(float* HWY_RESTRICT scores, float* HWY_RESTRICT slopes,
              int64_t visible, int64_t width, float scale, float log_sum,
              float mean) {
  const Eight d;
  const auto factor = hn::Set(d, scale);
  const auto shift = hn::Set(d, log_sum);
  const auto middle = hn::Set(d, mean);
  ForLanes(d, visible, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto score = LoadPart(d, scores + i, count);
    const auto p = ExpOf(d, hn::MulSub(score, factor, shift));
    const auto slope = hn::Sub(LoadPart(d, slopes + i, count), middle);
    StorePart(p, d, scores + i, count);
    StorePart(hn::Mul(hn::Mul(p, slope), factor), d, slopes + i, count);
  });
  std::fill(scores + visible, scores + width, 0.0f);
  std::fill(slopes + visible, slopes + width, 0.0f);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {
namespace {

HWY_EXPORT(SoftmaxRow);
HWY_EXPORT(ScaleRow);
HWY_EXPORT(DotRow);
HWY_EXPORT(SlopeRow);

constexpr int64_t kQueries = 48;  // Rows of scores held at once.

// One head of one sequence: pointers to its first row, and scratch.
struct Head {
  Head(const AttentionParams& params, int64_t unit)
      : p(params),
        begin(params.offsets[unit / params.heads]),
        length(params.offsets[unit / params.heads + 1] - begin),
        head(unit % params.heads),
        first(begin * params.heads + head),
        q_row(params.heads * params.dq),
        v_row(params.heads * params.dv),
        q(params.q + first * params.dq),
        k(params.k + first * params.dq),
        v(params.v + first * params.dv) {}

  const AttentionParams& p;
  const int64_t begin;
  const int64_t length;
  const int64_t head;
  const int64_t first;  // Its place among the [N, heads] rows.
  const int64_t q_row;
  const int64_t v_row;
  const float* const q;
  const float* const k;
  const float* const v;
};

hwy::AlignedFreeUniquePtr<float[]> Floats(int64_t count) {
  return hwy::AllocateAligned<float>(
      static_cast<size_t>(std::max<int64_t>(count, 1)));
}

// scores[i, j] = q[from + i] . k[j] for j < visible.
void Scores(const Head& h, const float* turned_k, int64_t from, int64_t rows,
            int64_t visible, float* scores) {
  Gemm({.m = rows,
        .n = visible,
        .k = h.p.dq,
        .a = h.q + from * h.q_row,
        .a_row = h.q_row,
        .a_col = 1,
        .b = turned_k,
        .b_row = h.length,
        .c = scores,
        .c_row = h.length,
        .accumulate = false});
}

void ForwardHead(const Head& h, float* out, float* log_sum) {
  const auto turned_k = Floats(h.p.dq * h.length);
  const auto scores = Floats(kQueries * h.length);
  Transpose(h.k, h.q_row, h.length, h.p.dq, turned_k.get(), h.length);
  for (int64_t from = 0; from < h.length; from += kQueries) {
    const int64_t rows = std::min(kQueries, h.length - from);
    const int64_t visible = from + rows;
    Scores(h, turned_k.get(), from, rows, visible, scores.get());
    float sums[kQueries];
    for (int64_t i = 0; i < rows; ++i) {
      float max;
      sums[i] = HWY_DYNAMIC_DISPATCH(SoftmaxRow)(
          scores.get() + i * h.length, from + i + 1, visible, h.p.scale, &max);
      if (log_sum != nullptr) {
        log_sum[h.first + (from + i) * h.p.heads] = max + std::log(sums[i]);
      }
    }
    float* const to = out + h.first * h.p.dv + from * h.v_row;
    Gemm({.m = rows,
          .n = h.p.dv,
          .k = visible,
          .a = scores.get(),
          .a_row = h.length,
          .a_col = 1,
          .b = h.v,
          .b_row = h.v_row,
          .c = to,
          .c_row = h.v_row,
          .accumulate = false});
    for (int64_t i = 0; i < rows; ++i) {
      HWY_DYNAMIC_DISPATCH(ScaleRow)(to + i * h.v_row, h.p.dv, 1 / sums[i]);
    }
  }
}

// c[j, :] (+)= sum_i a[i, j] b[i, :]: probabilities or slopes back to keys.
void ToKeys(const Head& h, const float* a, int64_t rows, int64_t visible,
            const float* b, int64_t width, int64_t stride, float* c,
            int64_t from) {
  // Keys of this block of queries meet their first contribution here.
  const auto add = [&](int64_t begin, int64_t end, bool accumulate) {
    Gemm({.m = end - begin,
          .n = width,
          .k = rows,
          .a = a + begin,
          .a_row = 1,
          .a_col = h.length,
          .b = b,
          .b_row = stride,
          .c = c + begin * stride,
          .c_row = stride,
          .accumulate = accumulate});
  };
  add(0, from, true);
  add(from, visible, false);
}

void BackwardHead(const Head& h, const AttentionGrads& g) {
  const auto turned_k = Floats(h.p.dq * h.length);
  const auto turned_v = Floats(h.p.dv * h.length);
  const auto scores = Floats(kQueries * h.length);
  const auto slopes = Floats(kQueries * h.length);
  Transpose(h.k, h.q_row, h.length, h.p.dq, turned_k.get(), h.length);
  Transpose(h.v, h.v_row, h.length, h.p.dv, turned_v.get(), h.length);
  float* const to_q = g.to_q + h.first * h.p.dq;
  float* const to_k = g.to_k + h.first * h.p.dq;
  float* const to_v = g.to_v + h.first * h.p.dv;
  for (int64_t from = 0; from < h.length; from += kQueries) {
    const int64_t rows = std::min(kQueries, h.length - from);
    const int64_t visible = from + rows;
    const float* const grad = g.grad + h.first * h.p.dv + from * h.v_row;
    const float* const out = g.out + h.first * h.p.dv + from * h.v_row;
    Scores(h, turned_k.get(), from, rows, visible, scores.get());
    Gemm({.m = rows,
          .n = visible,
          .k = h.p.dv,
          .a = grad,
          .a_row = h.v_row,
          .a_col = 1,
          .b = turned_v.get(),
          .b_row = h.length,
          .c = slopes.get(),
          .c_row = h.length,
          .accumulate = false});
    for (int64_t i = 0; i < rows; ++i) {
      const float mean = HWY_DYNAMIC_DISPATCH(DotRow)(
          grad + i * h.v_row, out + i * h.v_row, h.p.dv);
      HWY_DYNAMIC_DISPATCH(SlopeRow)
      (scores.get() + i * h.length, slopes.get() + i * h.length, from + i + 1,
       visible, h.p.scale, g.log_sum[h.first + (from + i) * h.p.heads], mean);
    }
    ToKeys(h, scores.get(), rows, visible, grad, h.p.dv, h.v_row, to_v, from);
    ToKeys(h, slopes.get(), rows, visible, h.q + from * h.q_row, h.p.dq,
           h.q_row, to_k, from);
    Gemm({.m = rows,
          .n = h.p.dq,
          .k = visible,
          .a = slopes.get(),
          .a_row = h.length,
          .a_col = 1,
          .b = h.k,
          .b_row = h.q_row,
          .c = to_q + from * h.q_row,
          .c_row = h.q_row,
          .accumulate = false});
  }
}

double CostOfHead(const AttentionParams& p) {
  const double rows = static_cast<double>(p.offsets[p.sequences]) /
                      static_cast<double>(std::max<int64_t>(p.sequences, 1));
  return rows * rows * static_cast<double>(p.dq + p.dv) / 2;
}

}  // namespace

void AttentionForward(const AttentionParams& params, float* out,
                      float* log_sum) {
  ForRanges(params.sequences * params.heads, CostOfHead(params), params.threads,
            [&](int64_t begin, int64_t end) {
              for (int64_t unit = begin; unit < end; ++unit) {
                ForwardHead(Head(params, unit), out, log_sum);
              }
            });
}

void AttentionBackward(const AttentionParams& params,
                       const AttentionGrads& grads) {
  ForRanges(params.sequences * params.heads, 2 * CostOfHead(params),
            params.threads, [&](int64_t begin, int64_t end) {
              for (int64_t unit = begin; unit < end; ++unit) {
                BackwardHead(Head(params, unit), grads);
              }
            });
}

}  // namespace cohort
#endif  // HWY_ONCE
