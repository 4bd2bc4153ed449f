#include "model/kernels/simd.h"
#include "model/kernels/swiglu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/swiglu_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

void Forward(const float* gate, const float* up, int64_t size, float* out) {
  const Eight d;
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto g = LoadPart(d, gate + i, count);
    const auto silu = hn::Mul(g, SigmoidOf(d, g));
    StorePart(hn::Mul(silu, LoadPart(d, up + i, count)), d, out + i, count);
  });
}

float Backward(const SwiGluGrads& p) {
  const Eight d;
  const auto one = hn::Set(d, 1.0f);
  const auto factor = hn::Set(d, p.factor);
  auto dot = hn::Zero(d);
  ForLanes(d, p.size, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto gate = LoadPart(d, p.gate + i, count);
    const auto up = LoadPart(d, p.up + i, count);
    const auto grad = LoadPart(d, p.grad + i, count);
    const auto s = SigmoidOf(d, gate);
    const auto silu = hn::Mul(gate, s);
    const auto out = hn::Mul(silu, up);
    const auto slope = hn::Mul(grad, factor);
    // silu' = s (1 + gate (1 - s)) = s + silu (1 - s)
    const auto rise = hn::MulAdd(silu, hn::Sub(one, s), s);
    dot = hn::MulAdd(grad, out, dot);
    StorePart(hn::Mul(out, factor), d, p.out + i, count);
    StorePart(hn::Mul(slope, silu), d, p.to_up + i, count);
    StorePart(hn::Mul(hn::Mul(slope, up), rise), d, p.to_gate + i, count);
  });
  return hn::GetLane(hn::SumOfLanes(d, dot));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {

HWY_EXPORT(Forward);
HWY_EXPORT(Backward);

void SwiGlu(const float* gate, const float* up, int64_t size, float* out) {
  HWY_DYNAMIC_DISPATCH(Forward)(gate, up, size, out);
}

float SwiGluBackward(const SwiGluGrads& grads) {
  return HWY_DYNAMIC_DISPATCH(Backward)(grads);
}

}  // namespace cohort
#endif  // HWY_ONCE
