#include <algorithm>
#include <cmath>
#include <vector>

#include "model/kernels/parallel.h"
#include "model/kernels/rms_norm.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/rms_norm_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

// 1 / sqrt(mean(x^2) + eps).
HWY_INLINE float InverseRms(const float* HWY_RESTRICT x, int64_t size,
                            double eps) {
  const Eight d;
  auto sum = hn::Zero(d);
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    const auto value = LoadPart(d, x + i, count);
    sum = hn::MulAdd(value, value, sum);
  });
  const double mean = static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum))) /
                      static_cast<double>(size);
  return static_cast<float>(1.0 / std::sqrt(mean + eps));
}

void ForwardRows(const RmsNormParams& p, float* HWY_RESTRICT y, int64_t begin,
                 int64_t end) {
  const Eight d;
  for (int64_t n = begin; n < end; ++n) {
    const float* HWY_RESTRICT x = p.x + n * p.x_row;
    const auto inverse = hn::Set(d, InverseRms(x, p.d, p.eps));
    float* HWY_RESTRICT to = y + n * p.d;
    ForLanes(d, p.d, [&](int64_t i, int64_t count) HWY_ATTR {
      const auto unit = hn::Mul(LoadPart(d, x + i, count), inverse);
      StorePart(hn::Mul(unit, LoadPart(d, p.weight + i, count)), d, to + i,
                count);
    });
  }
}

// Adds the rows' part of the weight's gradient to `to_weight`.
void BackwardRows(const RmsNormParams& p, const float* grad, float* to_x,
                  float* HWY_RESTRICT to_weight, int64_t begin, int64_t end) {
  const Eight d;
  for (int64_t n = begin; n < end; ++n) {
    const float* HWY_RESTRICT x = p.x + n * p.x_row;
    const float* HWY_RESTRICT g = grad + n * p.d;
    const float inverse = InverseRms(x, p.d, p.eps);
    const auto scale = hn::Set(d, inverse);
    auto dot = hn::Zero(d);
    ForLanes(d, p.d, [&](int64_t i, int64_t count) HWY_ATTR {
      const auto product =
          hn::Mul(LoadPart(d, g + i, count), LoadPart(d, x + i, count));
      dot = hn::MulAdd(product, LoadPart(d, p.weight + i, count), dot);
      StorePart(hn::MulAdd(product, scale, LoadPart(d, to_weight + i, count)),
                d, to_weight + i, count);
    });
    if (to_x == nullptr) continue;
    const double pull =
        static_cast<double>(hn::GetLane(hn::SumOfLanes(d, dot))) * inverse *
        inverse * inverse / static_cast<double>(p.d);
    const auto back = hn::Set(d, static_cast<float>(pull));
    float* HWY_RESTRICT to = to_x + n * p.d;
    ForLanes(d, p.d, [&](int64_t i, int64_t count) HWY_ATTR {
      const auto through = hn::Mul(
          hn::Mul(LoadPart(d, g + i, count), LoadPart(d, p.weight + i, count)),
          scale);
      StorePart(hn::NegMulAdd(back, LoadPart(d, x + i, count), through), d,
                to + i, count);
    });
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

void RmsNormForward(const RmsNormParams& params, float* y) {
  ForRanges(params.n, static_cast<double>(params.d), params.threads,
            [&](int64_t begin, int64_t end) {
              HWY_DYNAMIC_DISPATCH(ForwardRows)(params, y, begin, end);
            });
}

void RmsNormBackward(const RmsNormParams& params, const float* grad,
                     float* to_x, float* to_weight) {
  // The weight's gradient is summed by pieces of fixed size, then over them.
  constexpr int64_t kPiece = 1024;
  const int64_t pieces = (params.n + kPiece - 1) / kPiece;
  std::vector<float> sums(static_cast<size_t>(pieces * params.d));
  ForRanges(pieces, static_cast<double>(2 * kPiece * params.d), params.threads,
            [&](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) {
                HWY_DYNAMIC_DISPATCH(BackwardRows)
                (params, grad, to_x, sums.data() + i * params.d, i * kPiece,
                 std::min(params.n, (i + 1) * kPiece));
              }
            });
  if (to_weight == nullptr) return;
  std::fill_n(to_weight, params.d, 0.0f);
  for (int64_t i = 0; i < pieces; ++i) {
    for (int64_t j = 0; j < params.d; ++j) {
      to_weight[j] += sums[static_cast<size_t>(i * params.d + j)];
    }
  }
}

}  // namespace cohort
#endif  // HWY_ONCE
