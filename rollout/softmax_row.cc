#include "rollout/softmax_row.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "rollout/softmax_row.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

// As wide as the machine's vectors: single elements do not depend on it.
using Wide = hn::CappedTag<float, 16>;

// Adds lanes i, i + 8, ... to lane i of `sum`, in ascending order.
HWY_INLINE EightVec AddEights(hn::Vec<Wide> values, EightVec sum) {
#if HWY_TARGET <= HWY_AVX3
  const Eight d;
  sum = hn::Add(sum, hn::LowerHalf(d, values));
  return hn::Add(sum, hn::UpperHalf(d, values));
#else
  return hn::Add(sum, values);
#endif
}

HWY_INLINE hn::Vec<Wide> MaxOfRow(const float* HWY_RESTRICT logits, int64_t v) {
  const Wide d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto most = hn::Set(d, logits[0]);
  int64_t i = 0;
  for (; i + lanes <= v; i += lanes) {
    most = hn::Max(most, hn::LoadU(d, logits + i));
  }
  for (; i < v; ++i) most = hn::Max(most, hn::Set(d, logits[i]));
  return hn::MaxOfLanes(d, most);
}

SoftmaxFacts Row(const float* HWY_RESTRICT logits, int64_t v,
                 float inv_temperature, float* HWY_RESTRICT numerators,
                 float* HWY_RESTRICT run_sums) {
  const Wide d;
  const Eight eight;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto largest = MaxOfRow(logits, v);
  const auto scale = hn::Set(d, inv_temperature);
  const auto power_of = [&](hn::Vec<Wide> logit) HWY_ATTR {
    const auto below = hn::Mul(hn::Sub(logit, largest), scale);
    return hn::IfThenElse(hn::IsNaN(below), below, hn::Exp(d, below));
  };
  auto total = hn::Zero(eight);
  for (int64_t begin = 0; begin < v; begin += kSoftmaxRun) {
    const int64_t end = std::min(begin + kSoftmaxRun, v);
    auto sum = hn::Zero(eight);
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      const auto power = power_of(hn::LoadU(d, logits + i));
      hn::StoreU(power, d, numerators + i);
      sum = AddEights(power, sum);
      total = AddEights(power, total);
    }
    if (i < end) {
      const auto used = hn::FirstN(d, static_cast<size_t>(end - i));
      const auto power = hn::IfThenElseZero(
          used, power_of(hn::MaskedLoad(used, d, logits + i)));
      hn::BlendedStore(power, used, d, numerators + i);
      sum = AddEights(power, sum);
      total = AddEights(power, total);
    }
    run_sums[begin / kSoftmaxRun] = hn::GetLane(hn::SumOfLanes(eight, sum));
  }
  return {.max = hn::GetLane(largest),
          .total = hn::GetLane(hn::SumOfLanes(eight, total))};
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {

HWY_EXPORT(Row);

SoftmaxFacts SoftmaxRow(const float* logits, int64_t v, float inv_temperature,
                        float* numerators, float* run_sums) {
  return HWY_DYNAMIC_DISPATCH(Row)(logits, v, inv_temperature, numerators,
                                   run_sums);
}

}  // namespace cohort
#endif  // HWY_ONCE
