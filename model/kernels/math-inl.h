// Elementwise functions and row sums for the CPU kernels, in vectors of eight
// lanes at most: AVX2 and AVX-512 then add in the same order.

// Include guard of a header that is compiled once per instruction set.
#if defined(COHORT_MODEL_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef COHORT_MODEL_KERNELS_MATH_INL_H_
#undef COHORT_MODEL_KERNELS_MATH_INL_H_
#else
#define COHORT_MODEL_KERNELS_MATH_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Eight = hn::CappedTag<float, 8>;
using EightVec = hn::Vec<Eight>;

// The first `count` floats at `from`; zero in the lanes beyond.
HWY_INLINE EightVec LoadPart(Eight d, const float* from, int64_t count) {
  return count >= static_cast<int64_t>(hn::Lanes(d))
             ? hn::LoadU(d, from)
             : hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d,
                              from);
}

HWY_INLINE void StorePart(EightVec value, Eight d, float* to, int64_t count) {
  if (count >= static_cast<int64_t>(hn::Lanes(d))) {
    hn::StoreU(value, d, to);
  } else {
    hn::BlendedStore(value, hn::FirstN(d, static_cast<size_t>(count)), d, to);
  }
}

// e^x to one unit in the last place; NaN stays NaN, -inf gives zero.
HWY_INLINE EightVec ExpOf(Eight d, EightVec x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

// 1 / (1 + e^-x).
HWY_INLINE EightVec SigmoidOf(Eight d, EightVec x) {
  const auto one = hn::Set(d, 1.0f);
  const auto power = hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0f)));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Div(one, hn::Add(one, power)));
}

// Calls `step(i, count)` for i = 0, 8, ...: count lanes are in use.
template <class Step>
HWY_INLINE void ForLanes(Eight d, int64_t size, const Step& step) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) step(i, lanes);
  if (i < size) step(i, size - i);
}

}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
