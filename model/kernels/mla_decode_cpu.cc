#include <algorithm>

#include "hwy/aligned_allocator.h"
#include "model/kernels/gemm.h"
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

HWY_EXPORT(NormalisedSoftmaxRow);

// The heads' queries side by side, [R + P, heads]: a cache row times that gives
// one score per head.
void TurnQueries(const MlaDecodeParams& p, int64_t b, float* turned) {
  Transpose(p.q_latent + b * p.heads * p.rank, p.rank, p.heads, p.rank, turned,
            p.heads);
  Transpose(p.q_rope + b * p.heads * p.rope, p.rope, p.heads, p.rope,
            turned + p.rank * p.heads, p.heads);
}

struct Scratch {
  float* queries;  // [R + P, heads]
  float* scores;   // [context, heads]
  float* weights;  // [heads, context]
};

void DecodeOne(const MlaDecodeParams& p, int64_t b, const Scratch& scratch,
               float* out) {
  const int64_t width = p.rank + p.rope;
  const int64_t context = p.context[b];
  const auto block = [&](int64_t from) {
    const int64_t number = p.tables[b * p.table_row + from / p.block_tokens];
    return p.cache + number * p.block_tokens * width;
  };
  TurnQueries(p, b, scratch.queries);
  for (int64_t from = 0; from < context; from += p.block_tokens) {
    Gemm({.m = std::min(p.block_tokens, context - from),
          .n = p.heads,
          .k = width,
          .a = block(from),
          .a_row = width,
          .a_col = 1,
          .b = scratch.queries,
          .b_row = p.heads,
          .c = scratch.scores + from * p.heads,
          .c_row = p.heads,
          .accumulate = false});
  }
  Transpose(scratch.scores, p.heads, context, p.heads, scratch.weights,
            context);
  for (int64_t h = 0; h < p.heads; ++h) {
    HWY_DYNAMIC_DISPATCH(NormalisedSoftmaxRow)
    (scratch.weights + h * context, context, p.scale);
  }
  for (int64_t from = 0; from < context; from += p.block_tokens) {
    Gemm({.m = p.heads,
          .n = p.rank,
          .k = std::min(p.block_tokens, context - from),
          .a = scratch.weights + from,
          .a_row = context,
          .a_col = 1,
          .b = block(from),
          .b_row = width,
          .c = out + b * p.heads * p.rank,
          .c_row = p.rank,
          .accumulate = from > 0});
  }
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
        const int64_t scores = longest * params.heads;
        const auto memory = hwy::AllocateAligned<float>(
            static_cast<size_t>(queries + 2 * scores));
        const Scratch scratch = {.queries = memory.get(),
                                 .scores = memory.get() + queries,
                                 .weights = memory.get() + queries + scores};
        for (int64_t b = begin; b < end; ++b)
          DecodeOne(params, b, scratch, out);
      });
}

}  // namespace cohort
#endif  // HWY_ONCE
