#include <algorithm>

#include "model/kernels/expert_rows.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/expert_rows_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

void AddImpl(const float* HWY_RESTRICT from, int64_t width,
             const int64_t* slots, int64_t rows, int64_t per_token,
             const float* factors, float* HWY_RESTRICT to) {
  const Eight d;
  for (int64_t row = 0; row < rows; ++row) {
    const auto by = hn::Set(d, factors == nullptr ? 1.0f : factors[slots[row]]);
    const float* const source = from + row * width;
    float* const target = to + slots[row] / per_token * width;
    ForLanes(d, width, [&](int64_t i, int64_t count) HWY_ATTR {
      StorePart(hn::MulAdd(by, LoadPart(d, source + i, count),
                           LoadPart(d, target + i, count)),
                d, target + i, count);
    });
  }
}

void CombineImpl(const float* HWY_RESTRICT from, int64_t width,
                 int64_t per_token, const float* factors, int64_t begin,
                 int64_t end, float* HWY_RESTRICT out) {
  const Eight d;
  for (int64_t n = begin; n < end; ++n) {
    const float* const rows = from + n * per_token * width;
    ForLanes(d, width, [&](int64_t i, int64_t count) HWY_ATTR {
      auto sum = hn::Zero(d);
      for (int64_t j = 0; j < per_token; ++j) {
        const auto by =
            hn::Set(d, factors == nullptr ? 1.0f : factors[n * per_token + j]);
        sum = hn::MulAdd(by, LoadPart(d, rows + j * width + i, count), sum);
      }
      StorePart(sum, d, out + n * width + i, count);
    });
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {

HWY_EXPORT(AddImpl);
HWY_EXPORT(CombineImpl);

ExpertOrder SortByExpert(const int64_t* choice, int64_t slots,
                         int64_t experts) {
  ExpertOrder order;
  order.slots.resize(static_cast<size_t>(slots));
  order.begins.assign(static_cast<size_t>(experts) + 1, 0);
  const auto expert = [&](int64_t slot) {
    return static_cast<size_t>(choice == nullptr ? 0 : choice[slot]);
  };
  for (int64_t slot = 0; slot < slots; ++slot) {
    ++order.begins[expert(slot) + 1];
  }
  for (size_t e = 0; e < static_cast<size_t>(experts); ++e) {
    order.begins[e + 1] += order.begins[e];
  }
  std::vector<int64_t> next(order.begins.begin(), order.begins.end() - 1);
  for (int64_t slot = 0; slot < slots; ++slot) {
    order.slots[static_cast<size_t>(next[expert(slot)]++)] = slot;
  }
  return order;
}

void GatherRows(const float* from, int64_t width, const int64_t* slots,
                int64_t rows, int64_t per_token, float* to) {
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(from + slots[i] / per_token * width, width, to + i * width);
  }
}

void AddRows(const float* from, int64_t width, const int64_t* slots,
             int64_t rows, int64_t per_token, const float* factors, float* to) {
  HWY_DYNAMIC_DISPATCH(AddImpl)
  (from, width, slots, rows, per_token, factors, to);
}

void CombineRows(const float* from, int64_t width, int64_t per_token,
                 const float* factors, int64_t begin, int64_t end, float* out) {
  HWY_DYNAMIC_DISPATCH(CombineImpl)
  (from, width, per_token, factors, begin, end, out);
}

}  // namespace cohort
#endif  // HWY_ONCE
