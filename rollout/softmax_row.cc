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

void Row(const float* HWY_RESTRICT logits, int64_t v, float inv_temperature,
         float* HWY_RESTRICT numerators, float* HWY_RESTRICT run_sums) {
  const Eight d;
  auto most = hn::Set(d, logits[0]);
  ForLanes(d, v, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto used = hn::FirstN(d, static_cast<size_t>(count));
    const auto part = LoadPart(d, logits + i, count);
    most = hn::Max(most, hn::IfThenElse(used, part, most));
  });
  const auto largest = hn::MaxOfLanes(d, most);
  const auto scale = hn::Set(d, inv_temperature);
  for (int64_t begin = 0; begin < v; begin += kSoftmaxRun) {
    auto sum = hn::Zero(d);
    ForLanes(d, std::min(kSoftmaxRun, v - begin),
             [&](int64_t i, int64_t count) HWY_ATTR {
               const auto used = hn::FirstN(d, static_cast<size_t>(count));
               const auto logit = LoadPart(d, logits + begin + i, count);
               const auto power = hn::IfThenElseZero(
                   used, ExpOf(d, hn::Mul(hn::Sub(logit, largest), scale)));
               StorePart(power, d, numerators + begin + i, count);
               sum = hn::Add(sum, power);
             });
    run_sums[begin / kSoftmaxRun] = hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {

HWY_EXPORT(Row);

void SoftmaxRow(const float* logits, int64_t v, float inv_temperature,
                float* numerators, float* run_sums) {
  HWY_DYNAMIC_DISPATCH(Row)(logits, v, inv_temperature, numerators, run_sums);
}

}  // namespace cohort
#endif  // HWY_ONCE
