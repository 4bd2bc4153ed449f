#include <algorithm>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "model/kernels/mla_decode.h"
#include "model/kernels/parallel.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/mla_decode_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

constexpr int kTileTokens = 4;
constexpr int kTileHeads = 2;
constexpr int kTileVectors = 4;

// scores[h, t] = queries[h] . rows[t] for a few tokens and heads: each lane
// adds every eighth product, then the lanes are added.
template <int kTokens, int kHeads>
HWY_INLINE void ScoreTile(const float* const* rows, const float* queries,
                          int64_t width, float* scores, int64_t score_row) {
  const Eight d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  EightVec sum[kTokens][kHeads];
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 16
    for (int h = 0; h < kHeads; ++h) sum[t][h] = hn::Zero(d);
  }
  for (int64_t i = 0; i < width; i += lanes) {
    EightVec query[kHeads];
#pragma GCC unroll 16
    for (int h = 0; h < kHeads; ++h) {
      query[h] = LoadPart(d, queries + h * width + i, width - i);
    }
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) {
      const EightVec row = LoadPart(d, rows[t] + i, width - i);
#pragma GCC unroll 16
      for (int h = 0; h < kHeads; ++h) {
        sum[t][h] = hn::MulAdd(row, query[h], sum[t][h]);
      }
    }
  }
#pragma GCC unroll 16
  for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) {
      scores[h * score_row + t] = hn::GetLane(hn::SumOfLanes(d, sum[t][h]));
    }
  }
}

template <int kHeads>
HWY_INLINE void ScoreRows(const float* const* rows, int64_t context,
                          const float* queries, int64_t width, float* scores) {
  int64_t t = 0;
  for (; t + kTileTokens <= context; t += kTileTokens) {
    ScoreTile<kTileTokens, kHeads>(rows + t, queries, width, scores + t,
                                   context);
  }
  for (; t < context; ++t) {
    ScoreTile<1, kHeads>(rows + t, queries, width, scores + t, context);
  }
}

// queries: [heads, width]; scores: [heads, context].
void Scores(const float* const* rows, int64_t context, const float* queries,
            int64_t heads, int64_t width, float* scores) {
  int64_t h = 0;
  for (; h + kTileHeads <= heads; h += kTileHeads) {
    ScoreRows<kTileHeads>(rows, context, queries + h * width, width,
                          scores + h * context);
  }
  for (; h < heads; ++h) {
    ScoreRows<1>(rows, context, queries + h * width, width,
                 scores + h * context);
  }
}

// out[h, :] = sum over t of weights[h, t] rows[t, :], t ascending, for a few
// heads and columns; `last`: columns in use of the last vector.
template <int kHeads, int kVectors>
HWY_INLINE void MixTile(const float* const* rows, int64_t context,
                        int64_t column, const float* weights, float* out,
                        int64_t out_row, int64_t last) {
  const Eight d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  EightVec sum[kHeads][kVectors];
#pragma GCC unroll 16
  for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) sum[h][v] = hn::Zero(d);
  }
  for (int64_t t = 0; t < context; ++t) {
    EightVec value[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      value[v] = LoadPart(d, rows[t] + column + v * lanes,
                          v == kVectors - 1 ? last : lanes);
    }
#pragma GCC unroll 16
    for (int h = 0; h < kHeads; ++h) {
      const EightVec weight = hn::Set(d, weights[h * context + t]);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        sum[h][v] = hn::MulAdd(weight, value[v], sum[h][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      StorePart(sum[h][v], d, out + h * out_row + column + v * lanes,
                v == kVectors - 1 ? last : lanes);
    }
  }
}

template <int kHeads>
HWY_INLINE void MixRows(const float* const* rows, int64_t context,
                        const float* weights, int64_t rank, float* out) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Eight()));
  int64_t column = 0;
  for (; column + kTileVectors * lanes <= rank;
       column += kTileVectors * lanes) {
    MixTile<kHeads, kTileVectors>(rows, context, column, weights, out, rank,
                                  lanes);
  }
  for (; column < rank; column += lanes) {
    MixTile<kHeads, 1>(rows, context, column, weights, out, rank,
                       std::min(lanes, rank - column));
  }
}

// weights: [heads, context]; out: [heads, rank].
void Mix(const float* const* rows, int64_t context, const float* weights,
         int64_t heads, int64_t rank, float* out) {
  int64_t h = 0;
  for (; h + kTileHeads <= heads; h += kTileHeads) {
    MixRows<kTileHeads>(rows, context, weights + h * context, rank,
                        out + h * rank);
  }
  for (; h < heads; ++h) {
    MixRows<1>(rows, context, weights + h * context, rank, out + h * rank);
  }
}

// row becomes its softmax under `scale`.
void NormalisedSoftmaxRow(float* HWY_RESTRICT row, int64_t size, float scale) {
  const Eight d;
  auto most = hn::Set(d, row[0]);
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto used = hn::FirstN(d, static_cast<size_t>(count));
    most =
        hn::Max(most, hn::IfThenElse(used, LoadPart(d, row + i, count), most));
  });
  const auto largest = hn::MaxOfLanes(d, most);
  const auto factor = hn::Set(d, scale);
  auto sum = hn::Zero(d);
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto used = hn::FirstN(d, static_cast<size_t>(count));
    const auto power = ExpOf(
        d, hn::Mul(hn::Sub(LoadPart(d, row + i, count), largest), factor));
    sum = hn::Add(sum, hn::IfThenElseZero(used, power));
    StorePart(power, d, row + i, count);
  });
  const auto inverse = hn::Div(hn::Set(d, 1.0f), hn::SumOfLanes(d, sum));
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    StorePart(hn::Mul(LoadPart(d, row + i, count), inverse), d, row + i, count);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {
namespace {

HWY_EXPORT(Scores);
HWY_EXPORT(NormalisedSoftmaxRow);
HWY_EXPORT(Mix);

struct Scratch {
  std::vector<const float*> rows;  // [context], of the cache
  float* queries;                  // [heads, R + P]
  float* scores;                   // [heads, context], then their softmax
};

void DecodeOne(const MlaDecodeParams& p, int64_t b, Scratch* scratch,
               float* out) {
  const int64_t width = p.rank + p.rope;
  const int64_t context = p.context[b];
  const float** row = scratch->rows.data();
  for (int64_t from = 0; from < context; from += p.block_tokens) {
    const int64_t block = p.tables[b * p.table_row + from / p.block_tokens];
    const float* next = p.cache + block * p.block_tokens * width;
    const int64_t count = std::min(p.block_tokens, context - from);
    for (int64_t t = 0; t < count; ++t, next += width) *row++ = next;
  }
  for (int64_t h = 0; h < p.heads; ++h) {
    float* const query = scratch->queries + h * width;
    std::copy_n(p.q_latent + (b * p.heads + h) * p.rank, p.rank, query);
    std::copy_n(p.q_rope + (b * p.heads + h) * p.rope, p.rope, query + p.rank);
  }
  HWY_DYNAMIC_DISPATCH(Scores)
  (scratch->rows.data(), context, scratch->queries, p.heads, width,
   scratch->scores);
  for (int64_t h = 0; h < p.heads; ++h) {
    HWY_DYNAMIC_DISPATCH(NormalisedSoftmaxRow)
    (scratch->scores + h * context, context, p.scale);
  }
  HWY_DYNAMIC_DISPATCH(Mix)
  (scratch->rows.data(), context, scratch->scores, p.heads, p.rank,
   out + b * p.heads * p.rank);
}

}  // namespace

void MlaDecode(const MlaDecodeParams& params, float* out) {
  if (params.batch == 0) return;
  const int64_t longest =
      *std::max_element(params.context, params.context + params.batch);
  const double cost = static_cast<double>(longest * params.heads *
                                          (2 * params.rank + params.rope));
  ForRanges(
      params.batch, cost, params.threads, [&](int64_t begin, int64_t end) {
        const int64_t queries = (params.rank + params.rope) * params.heads;
        const auto memory = hwy::AllocateAligned<float>(
            static_cast<size_t>(queries + longest * params.heads));
        Scratch scratch;
        scratch.rows.resize(static_cast<size_t>(longest));
        scratch.queries = memory.get();
        scratch.scores = memory.get() + queries;
        for (int64_t b = begin; b < end; ++b) {
          DecodeOne(params, b, &scratch, out);
        }
      });
}

}  // namespace cohort
#endif  // HWY_ONCE
