#include <algorithm>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "model/kernels/paged_attention.h"
#include "model/kernels/paged_runs.h"
#include "model/kernels/parallel.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/paged_attention_cpu.cc"
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
  const auto sum = PowersOfRow(row, size, scale).sum;
  const auto inverse = hn::Div(hn::Set(d, 1.0f), sum);
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

// Heads of one kv head from which on they fill the vectors of PagedRuns.
constexpr int64_t kManyHeads = 8;

// Memory for one sequence at a time.
struct Scratch {
  std::vector<const float*> tokens;  // [context], rows of the cache
  std::vector<const float*> parts;   // [context], one kv head's place in them
  float* scores;                     // [heads of one kv head, context]
};

// Leaves in scratch->tokens the rows that sequence b attends to.
int64_t GatherTokens(const PagedAttentionParams& p, int64_t b,
                     Scratch* scratch) {
  const int32_t* const table = p.tables + b * p.table_row;
  const float** next = scratch->tokens.data();
  if (p.selected == nullptr) {
    const int64_t context = p.context[b];
    for (int64_t from = 0; from < context; from += p.block_tokens) {
      const int64_t block = table[from / p.block_tokens];
      const float* token = p.cache + block * p.block_tokens * p.row;
      const int64_t count = std::min(p.block_tokens, context - from);
      for (int64_t t = 0; t < count; ++t, token += p.row) *next++ = token;
    }
    return context;
  }
  const int32_t* const selected = p.selected + b * p.selected_row;
  int64_t count = 0;
  for (; count < p.selected_row && selected[count] >= 0; ++count) {
    const int64_t t = selected[count];
    const int64_t block = table[t / p.block_tokens];
    *next++ = p.cache + (block * p.block_tokens + t % p.block_tokens) * p.row;
  }
  return count;
}

// The tokens' rows from column `at` on.
const float* const* PartsAt(int64_t at, int64_t count, Scratch* scratch) {
  for (int64_t t = 0; t < count; ++t) {
    scratch->parts[static_cast<size_t>(t)] =
        scratch->tokens[static_cast<size_t>(t)] + at;
  }
  return scratch->parts.data();
}

void DecodeOne(const PagedAttentionParams& p, int64_t b, Scratch* scratch,
               float* out) {
  const int64_t count = GatherTokens(p, b, scratch);
  const int64_t shared = p.heads / p.kv_heads;  // Heads of one kv head.
  for (int64_t g = 0; g < p.kv_heads; ++g) {
    const int64_t first = b * p.heads + g * shared;
    HWY_DYNAMIC_DISPATCH(Scores)
    (PartsAt(g * p.key_width, count, scratch), count, p.q + first * p.key_width,
     shared, p.key_width, scratch->scores);
    for (int64_t h = 0; h < shared; ++h) {
      HWY_DYNAMIC_DISPATCH(NormalisedSoftmaxRow)
      (scratch->scores + h * count, count, p.scale);
    }
    HWY_DYNAMIC_DISPATCH(Mix)
    (PartsAt(p.value_at + g * p.value_width, count, scratch), count,
     scratch->scores, shared, p.value_width, out + first * p.value_width);
  }
}

// Rows [begin, end) of the batch.
PagedAttentionParams RowsOf(PagedAttentionParams p, int64_t begin,
                            int64_t end) {
  p.batch = end - begin;
  p.q += begin * p.heads * p.key_width;
  p.tables += begin * p.table_row;
  p.context += begin;
  if (p.selected != nullptr) p.selected += begin * p.selected_row;
  return p;
}

void DecodeEach(const PagedAttentionParams& p, int64_t longest, float* out) {
  const auto memory = hwy::AllocateAligned<float>(
      static_cast<size_t>(longest * (p.heads / p.kv_heads)));
  Scratch scratch;
  scratch.tokens.resize(static_cast<size_t>(longest));
  scratch.parts.resize(static_cast<size_t>(longest));
  scratch.scores = memory.get();
  for (int64_t b = 0; b < p.batch; ++b) DecodeOne(p, b, &scratch, out);
}

}  // namespace

void PagedAttention(const PagedAttentionParams& params, float* out) {
  if (params.batch == 0) return;
  const int64_t longest =
      *std::max_element(params.context, params.context + params.batch);
  const double cost = static_cast<double>(
      longest * params.heads * (params.key_width + params.value_width));
  ForRanges(params.batch, cost, params.threads,
            [&](int64_t begin, int64_t end) {
              const PagedAttentionParams rows = RowsOf(params, begin, end);
              float* const to = out + begin * params.heads * params.value_width;
              if (params.heads / params.kv_heads >= kManyHeads) {
                PagedRuns(rows, to);
              } else {
                DecodeEach(rows, longest, to);
              }
            });
}

}  // namespace cohort
#endif  // HWY_ONCE
