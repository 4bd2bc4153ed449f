#include <cmath>

#include "model/kernels/simd.h"
#include "model/kernels/token_logprob.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/token_logprob_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

// Logits are taken relative to the largest; those this far below it count for
// nothing, and -inf times zero is kept out of the entropy.
constexpr float kLeast = -200.0f;

void ForwardRow(const TokenLogprobParams& p, int64_t n) {
  const Eight d;
  const float* HWY_RESTRICT row = static_cast<const float*>(p.logits) + n * p.v;
  auto most = hn::Set(d, row[0]);
  ForLanes(d, p.v, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto used = hn::FirstN(d, static_cast<size_t>(count));
    most =
        hn::Max(most, hn::IfThenElse(used, LoadPart(d, row + i, count), most));
  });
  const auto largest = hn::MaxOfLanes(d, most);
  const auto scale = hn::Set(d, p.inv_temperature);
  auto sum = hn::Zero(d);
  auto weighted = hn::Zero(d);
  ForLanes(d, p.v, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto used = hn::FirstN(d, static_cast<size_t>(count));
    const auto below =
        hn::Mul(hn::Sub(LoadPart(d, row + i, count), largest), scale);
    const auto power = hn::IfThenElseZero(used, ExpOf(d, below));
    sum = hn::Add(sum, power);
    weighted = hn::MulAdd(power, hn::Max(below, hn::Set(d, kLeast)), weighted);
  });
  const double total = hn::GetLane(hn::SumOfLanes(d, sum));
  const double log_total = std::log(total);
  const float max = hn::GetLane(largest);
  p.out[n] = static_cast<float>(
      static_cast<double>((row[p.target[n]] - max) * p.inv_temperature) -
      log_total);
  if (p.entropy != nullptr) {
    p.entropy[n] = static_cast<float>(
        log_total - hn::GetLane(hn::SumOfLanes(d, weighted)) / total);
  }
  if (p.log_sum != nullptr) {
    p.log_sum[n] = static_cast<float>(
        static_cast<double>(max * p.inv_temperature) + log_total);
  }
}

void ForwardRows(const TokenLogprobParams& p) {
  for (int64_t n = 0; n < p.n; ++n) ForwardRow(p, n);
}

void BackwardRows(const TokenLogprobGrads& p) {
  const Eight d;
  const auto scale = hn::Set(d, p.inv_temperature);
  for (int64_t n = 0; n < p.n; ++n) {
    float* HWY_RESTRICT row = p.logits + n * p.v;
    const auto shift = hn::Set(d, p.log_sum[n]);
    const float slope = p.grad[n] * p.inv_temperature;
    const auto by = hn::Set(d, -slope);
    ForLanes(d, p.v, [&](int64_t i, int64_t count) HWY_ATTR {
      const auto power =
          ExpOf(d, hn::MulSub(LoadPart(d, row + i, count), scale, shift));
      StorePart(hn::Mul(power, by), d, row + i, count);
    });
    row[p.target[n]] += slope;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {

HWY_EXPORT(ForwardRows);
HWY_EXPORT(BackwardRows);

void TokenLogprobCpu(const TokenLogprobParams& params) {
  HWY_DYNAMIC_DISPATCH(ForwardRows)(params);
}

void TokenLogprobBackwardCpu(const TokenLogprobGrads& grads) {
  HWY_DYNAMIC_DISPATCH(BackwardRows)(grads);
}

}  // namespace cohort
#endif  // HWY_ONCE
