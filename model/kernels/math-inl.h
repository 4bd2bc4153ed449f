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

// What the numerators of a row's softmax are made of, in every lane.
struct RowPowers {
  EightVec largest;  // Of what the row held.
  EightVec sum;      // Of the numerators.
};

// row[i] becomes exp((row[i] - largest) * scale). Requires size >= 1.
HWY_INLINE RowPowers PowersOfRow(float* HWY_RESTRICT row, int64_t size,
                                 float scale) {
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
  return {largest, hn::SumOfLanes(d, sum)};
}

}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
