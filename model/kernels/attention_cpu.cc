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
  const RowPowers powers = PowersOfRow(row, visible, scale);
  std::fill(row + visible, row + width, 0.0f);
  *max = hn::GetLane(powers.largest) * scale;
  return hn::GetLane(powers.sum);
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

// One kv head of one sequence: pointers to its first row.
struct KvHead {
  KvHead(const AttentionParams& params, int64_t unit)
      : p(params),
        sequence(unit / params.kv_heads),
        head(unit % params.kv_heads),
        begin(params.offsets[sequence]),
        length(params.offsets[sequence + 1] - begin),
        first(begin * params.kv_heads + head),
        k_row(params.kv_heads * params.dq),
        v_row(params.kv_heads * params.dv),
        k(params.k + first * params.dq),
        v(params.v + first * params.dv) {}

  const AttentionParams& p;
  const int64_t sequence;
  const int64_t head;
  const int64_t begin;
  const int64_t length;
  const int64_t first;  // Its place among the [N, kv_heads] rows.
  const int64_t k_row;
  const int64_t v_row;
  const float* const k;
  const float* const v;
};

// One of the query heads that share a kv head.
struct Head {
  Head(const KvHead& kv_head, int64_t i)
      : kv(kv_head),
        p(kv_head.p),
        head(kv_head.head * (p.heads / p.kv_heads) + i),
        first(kv_head.begin * p.heads + head),
        q_row(p.heads * p.dq),
        out_row(p.heads * p.dv),
        q(p.q + first * p.dq) {}

  const KvHead& kv;
  const AttentionParams& p;
  const int64_t head;
  const int64_t first;  // Its place among the [N, heads] rows.
  const int64_t q_row;
  const int64_t out_row;
  const float* const q;
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
        .b_row = h.kv.length,
        .c = scores,
        .c_row = h.kv.length,
        .accumulate = false});
}

// The tokens that the row at place t of its sequence attends to, where not all.
class Selection {
 public:
  Selection(const KvHead& h, int64_t t)
      : tokens_(h.p.selected + (h.begin + t) * h.p.selected_row) {
    while (count_ < h.p.selected_row && tokens_[count_] >= 0) ++count_;
  }

  int64_t count() const { return count_; }

  // to[i] = row[i-th selected]; they lie in ascending order, so that `to` may
  // be `row`.
  void Gather(const float* row, float* to) const {
    for (int64_t i = 0; i < count_; ++i) to[i] = row[tokens_[i]];
  }

  // The reverse in place: what is not selected of `width` columns becomes zero.
  void Scatter(float* row, int64_t width) const {
    int64_t end = width;
    for (int64_t i = count_ - 1; i >= 0; --i) {
      const float value = row[i];
      std::fill(row + tokens_[i] + 1, row + end, 0.0f);
      row[tokens_[i]] = value;
      end = tokens_[i];
    }
    std::fill(row, row + end, 0.0f);
  }

 private:
  const int32_t* const tokens_;
  int64_t count_ = 0;
};

// Scores of the row at place t -> its unnormalised probabilities; see
// SoftmaxRow.
float Probabilities(const KvHead& h, int64_t t, float* row, int64_t width,
                    float* max) {
  if (h.p.selected == nullptr) {
    return HWY_DYNAMIC_DISPATCH(SoftmaxRow)(row, t + 1, width, h.p.scale, max);
  }
  const Selection selection(h, t);
  selection.Gather(row, row);
  const float sum = HWY_DYNAMIC_DISPATCH(SoftmaxRow)(
      row, selection.count(), selection.count(), h.p.scale, max);
  selection.Scatter(row, width);
  return sum;
}

void ForwardHead(const Head& h, const float* turned_k, float* scores,
                 float* out, float* log_sum) {
  const int64_t length = h.kv.length;
  for (int64_t from = 0; from < length; from += kQueries) {
    const int64_t rows = std::min(kQueries, length - from);
    const int64_t visible = from + rows;
    Scores(h, turned_k, from, rows, visible, scores);
    float sums[kQueries];
    for (int64_t i = 0; i < rows; ++i) {
      float max;
      sums[i] =
          Probabilities(h.kv, from + i, scores + i * length, visible, &max);
      if (log_sum != nullptr) {
        log_sum[h.first + (from + i) * h.p.heads] = max + std::log(sums[i]);
      }
    }
    float* const to = out + h.first * h.p.dv + from * h.out_row;
    Gemm({.m = rows,
          .n = h.p.dv,
          .k = visible,
          .a = scores,
          .a_row = length,
          .a_col = 1,
          .b = h.kv.v,
          .b_row = h.kv.v_row,
          .c = to,
          .c_row = h.out_row,
          .accumulate = false});
    for (int64_t i = 0; i < rows; ++i) {
      HWY_DYNAMIC_DISPATCH(ScaleRow)(to + i * h.out_row, h.p.dv, 1 / sums[i]);
    }
  }
}

void ForwardKvHead(const KvHead& kv, float* out, float* log_sum) {
  const auto turned_k = Floats(kv.p.dq * kv.length);
  const auto scores = Floats(kQueries * kv.length);
  Transpose(kv.k, kv.k_row, kv.length, kv.p.dq, turned_k.get(), kv.length);
  for (int64_t i = 0; i < kv.p.heads / kv.p.kv_heads; ++i) {
    ForwardHead(Head(kv, i), turned_k.get(), scores.get(), out, log_sum);
  }
}

// Rows [from, visible) of queries or gradients, of one query head.
struct QueryRows {
  const float* data;
  int64_t width;
  int64_t row;
};

// c[j, :] (+)= sum_i a[i, j] b[i, :]: probabilities or slopes back to keys.
// `first`: whether no other head has given the keys anything yet.
void ToKeys(const Head& h, const float* a, int64_t from, int64_t visible,
            const QueryRows& b, bool first, float* c, int64_t c_row) {
  const auto add = [&](int64_t begin, int64_t end, bool accumulate) {
    Gemm({.m = end - begin,
          .n = b.width,
          .k = visible - from,
          .a = a + begin,
          .a_row = 1,
          .a_col = h.kv.length,
          .b = b.data,
          .b_row = b.row,
          .c = c + begin * c_row,
          .c_row = c_row,
          .accumulate = accumulate});
  };
  add(0, from, true);
  // Keys of this block of queries meet their first contribution here.
  add(from, visible, !first);
}

// Scratch of one kv head's backward pass.
struct BackwardScratch {
  explicit BackwardScratch(const KvHead& kv)
      : turned_k(Floats(kv.p.dq * kv.length)),
        turned_v(Floats(kv.p.dv * kv.length)),
        scores(Floats(kQueries * kv.length)),
        slopes(Floats(kQueries * kv.length)) {
    Transpose(kv.k, kv.k_row, kv.length, kv.p.dq, turned_k.get(), kv.length);
    Transpose(kv.v, kv.v_row, kv.length, kv.p.dv, turned_v.get(), kv.length);
  }

  hwy::AlignedFreeUniquePtr<float[]> turned_k;
  hwy::AlignedFreeUniquePtr<float[]> turned_v;
  hwy::AlignedFreeUniquePtr<float[]> scores;  // Then probabilities.
  hwy::AlignedFreeUniquePtr<float[]> slopes;  // Gradients of both, in turn.
};

// Probabilities, and slopes of scores, of the row at place t; see SlopeRow.
void Slopes(const KvHead& h, int64_t t, float* scores, float* slopes,
            int64_t width, float log_sum, float mean) {
  if (h.p.selected == nullptr) {
    HWY_DYNAMIC_DISPATCH(SlopeRow)
    (scores, slopes, t + 1, width, h.p.scale, log_sum, mean);
    return;
  }
  const Selection selection(h, t);
  selection.Gather(scores, scores);
  selection.Gather(slopes, slopes);
  HWY_DYNAMIC_DISPATCH(SlopeRow)
  (scores, slopes, selection.count(), selection.count(), h.p.scale, log_sum,
   mean);
  selection.Scatter(scores, width);
  selection.Scatter(slopes, width);
}

// Of query rows [from, from + rows): probabilities and slopes.
void SlopesOfBlock(const Head& h, const AttentionGrads& g, int64_t from,
                   int64_t rows, BackwardScratch* s) {
  const int64_t length = h.kv.length;
  const int64_t visible = from + rows;
  const float* const grad = g.grad + h.first * h.p.dv + from * h.out_row;
  const float* const out = g.out + h.first * h.p.dv + from * h.out_row;
  Scores(h, s->turned_k.get(), from, rows, visible, s->scores.get());
  Gemm({.m = rows,
        .n = visible,
        .k = h.p.dv,
        .a = grad,
        .a_row = h.out_row,
        .a_col = 1,
        .b = s->turned_v.get(),
        .b_row = length,
        .c = s->slopes.get(),
        .c_row = length,
        .accumulate = false});
  for (int64_t i = 0; i < rows; ++i) {
    const float mean = HWY_DYNAMIC_DISPATCH(DotRow)(
        grad + i * h.out_row, out + i * h.out_row, h.p.dv);
    Slopes(h.kv, from + i, s->scores.get() + i * length,
           s->slopes.get() + i * length, visible,
           g.log_sum[h.first + (from + i) * h.p.heads], mean);
  }
}

void BackwardHead(const Head& h, const AttentionGrads& g, bool first,
                  BackwardScratch* s) {
  const KvHead& kv = h.kv;
  float* const to_q = g.to_q + h.first * h.p.dq;
  float* const to_k = g.to_k + kv.first * h.p.dq;
  float* const to_v = g.to_v + kv.first * h.p.dv;
  for (int64_t from = 0; from < kv.length; from += kQueries) {
    const int64_t rows = std::min(kQueries, kv.length - from);
    const int64_t visible = from + rows;
    SlopesOfBlock(h, g, from, rows, s);
    ToKeys(h, s->scores.get(), from, visible,
           {.data = g.grad + h.first * h.p.dv + from * h.out_row,
            .width = h.p.dv,
            .row = h.out_row},
           first, to_v, kv.v_row);
    ToKeys(h, s->slopes.get(), from, visible,
           {.data = h.q + from * h.q_row, .width = h.p.dq, .row = h.q_row},
           first, to_k, kv.k_row);
    Gemm({.m = rows,
          .n = h.p.dq,
          .k = visible,
          .a = s->slopes.get(),
          .a_row = kv.length,
          .a_col = 1,
          .b = kv.k,
          .b_row = kv.k_row,
          .c = to_q + from * h.q_row,
          .c_row = h.q_row,
          .accumulate = false});
  }
}

void BackwardKvHead(const KvHead& kv, const AttentionGrads& g) {
  BackwardScratch scratch(kv);
  for (int64_t i = 0; i < kv.p.heads / kv.p.kv_heads; ++i) {
    BackwardHead(Head(kv, i), g, /*first=*/i == 0, &scratch);
  }
}

double CostOfKvHead(const AttentionParams& p) {
  const double rows = static_cast<double>(p.offsets[p.sequences]) /
                      static_cast<double>(std::max<int64_t>(p.sequences, 1));
  return rows * rows * static_cast<double>(p.dq + p.dv) / 2 *
         static_cast<double>(p.heads / p.kv_heads);
}

}  // namespace

void AttentionForward(const AttentionParams& params, float* out,
                      float* log_sum) {
  ForRanges(params.sequences * params.kv_heads, CostOfKvHead(params),
            params.threads, [&](int64_t begin, int64_t end) {
              for (int64_t unit = begin; unit < end; ++unit) {
                ForwardKvHead(KvHead(params, unit), out, log_sum);
              }
            });
}

void AttentionBackward(const AttentionParams& params,
                       const AttentionGrads& grads) {
  ForRanges(params.sequences * params.kv_heads, 2 * CostOfKvHead(params),
            params.threads, [&](int64_t begin, int64_t end) {
              for (int64_t unit = begin; unit < end; ++unit) {
                BackwardKvHead(KvHead(params, unit), grads);
              }
            });
}

}  // namespace cohort
#endif  // HWY_ONCE
