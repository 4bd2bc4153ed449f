#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "model/kernels/indexer.h"
#include "model/kernels/parallel.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/indexer_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

// scores[i] of `kTokens` keys; heads are added in ascending order.
template <int kTokens>
HWY_INLINE void ScoreTokens(const float* const* keys, const float* q,
                            const float* gates, int64_t heads, int64_t width,
                            float* scores) {
  const Eight d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  float total[kTokens] = {};
  for (int64_t h = 0; h < heads; ++h) {
    EightVec sum[kTokens];
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) sum[t] = hn::Zero(d);
    for (int64_t i = 0; i < width; i += lanes) {
      const EightVec query = LoadPart(d, q + h * width + i, width - i);
#pragma GCC unroll 16
      for (int t = 0; t < kTokens; ++t) {
        sum[t] = hn::MulAdd(LoadPart(d, keys[t] + i, width - i), query, sum[t]);
      }
    }
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) {
      const float dot = hn::GetLane(hn::SumOfLanes(d, sum[t]));
      total[t] += gates[h] * std::max(dot, 0.0f);
    }
  }
  std::copy_n(total, kTokens, scores);
}

void Scores(const float* const* keys, int64_t context, const float* q,
            const float* gates, int64_t heads, int64_t width, float* scores) {
  constexpr int kTile = 8;
  int64_t t = 0;
  for (; t + kTile <= context; t += kTile) {
    ScoreTokens<kTile>(keys + t, q, gates, heads, width, scores + t);
  }
  for (; t < context; ++t) {
    ScoreTokens<1>(keys + t, q, gates, heads, width, scores + t);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {
namespace {

HWY_EXPORT(Scores);

// Memory for one row at a time.
struct Scratch {
  explicit Scratch(int64_t longest)
      : keys(static_cast<size_t>(longest)),
        scores(static_cast<size_t>(longest)),
        order(static_cast<size_t>(longest)) {}

  std::vector<const float*> keys;
  std::vector<float> scores;
  std::vector<int32_t> order;
};

// The best `topk` of the first `context` scores, in any order, to the front of
// scratch->order.
void FindBest(int64_t context, int64_t topk, Scratch* scratch) {
  for (int64_t t = 0; t < context; ++t) {
    float& score = scratch->scores[static_cast<size_t>(t)];
    // NaN cannot be ordered; what reads it will find it in the logits.
    if (std::isnan(score)) score = -std::numeric_limits<float>::infinity();
  }
  const auto begin = scratch->order.begin();
  std::iota(begin, begin + context, 0);
  const std::vector<float>& scores = scratch->scores;
  std::nth_element(begin, begin + topk, begin + context,
                   [&scores](int32_t a, int32_t b) {
                     const float left = scores[static_cast<size_t>(a)];
                     const float right = scores[static_cast<size_t>(b)];
                     return left != right ? left > right : a < b;
                   });
}

// Selects for one row, whose keys are in scratch->keys.
void SelectRow(const IndexerSizes& sizes, const float* q, const float* gates,
               int64_t context, Scratch* scratch, int32_t* selected,
               int64_t selected_row) {
  const int64_t count = std::min(sizes.topk, context);
  if (context <= sizes.topk) {
    std::iota(selected, selected + count, 0);
  } else {
    HWY_DYNAMIC_DISPATCH(Scores)
    (scratch->keys.data(), context, q, gates, sizes.heads, sizes.width,
     scratch->scores.data());
    FindBest(context, sizes.topk, scratch);
    std::copy_n(scratch->order.begin(), count, selected);
    std::sort(selected, selected + count);
  }
  std::fill(selected + count, selected + selected_row, -1);
}

double CostOfRow(const IndexerSizes& sizes, int64_t context) {
  return static_cast<double>(context * sizes.heads * sizes.width);
}

}  // namespace

void SelectPacked(const PackedIndexerParams& p, int32_t* selected,
                  int64_t selected_row) {
  const int64_t queries = p.sizes.heads * p.sizes.width;
  int64_t longest = 0;
  for (int64_t s = 0; s < p.sequences; ++s) {
    longest = std::max(longest, p.offsets[s + 1] - p.offsets[s]);
  }
  ForRanges(p.offsets[p.sequences], CostOfRow(p.sizes, longest / 2), p.threads,
            [&](int64_t begin, int64_t end) {
              Scratch scratch(longest);
              const int64_t* next = p.offsets;
              for (int64_t n = begin; n < end; ++n) {
                while (next[1] <= n) ++next;
                for (int64_t t = next[0]; t <= n; ++t) {
                  scratch.keys[static_cast<size_t>(t - next[0])] =
                      p.keys + t * p.sizes.width;
                }
                SelectRow(p.sizes, p.q + n * queries,
                          p.gates + n * p.sizes.heads, n - next[0] + 1,
                          &scratch, selected + n * selected_row, selected_row);
              }
            });
}

void SelectPaged(const PagedIndexerParams& p, int32_t* selected,
                 int64_t selected_row) {
  if (p.batch == 0) return;
  const int64_t queries = p.sizes.heads * p.sizes.width;
  const int64_t longest = *std::max_element(p.context, p.context + p.batch);
  ForRanges(p.batch, CostOfRow(p.sizes, longest), p.threads,
            [&](int64_t begin, int64_t end) {
              Scratch scratch(longest);
              for (int64_t b = begin; b < end; ++b) {
                const int32_t* const table = p.tables + b * p.table_row;
                for (int64_t t = 0; t < p.context[b]; ++t) {
                  const int64_t place =
                      table[t / p.block_tokens] * p.block_tokens +
                      t % p.block_tokens;
                  scratch.keys[static_cast<size_t>(t)] =
                      p.cache + place * p.row + p.key_at;
                }
                SelectRow(p.sizes, p.q + b * queries,
                          p.gates + b * p.sizes.heads, p.context[b], &scratch,
                          selected + b * selected_row, selected_row);
              }
            });
}

void LayerNorm(const LayerNormParams& p, float* y, int64_t y_row) {
  for (int64_t n = 0; n < p.n; ++n) {
    const float* const x = p.x + n * p.x_row;
    double mean = 0;
    for (int64_t i = 0; i < p.d; ++i) mean += double{x[i]};
    mean /= static_cast<double>(p.d);
    double variance = 0;
    for (int64_t i = 0; i < p.d; ++i) {
      variance += (double{x[i]} - mean) * (double{x[i]} - mean);
    }
    variance /= static_cast<double>(p.d);
    const double inverse = 1 / std::sqrt(variance + p.eps);
    for (int64_t i = 0; i < p.d; ++i) {
      const double unit = (double{x[i]} - mean) * inverse;
      y[n * y_row + i] =
          static_cast<float>(unit * double{p.weight[i]} + double{p.bias[i]});
    }
  }
}

}  // namespace cohort
#endif  // HWY_ONCE
