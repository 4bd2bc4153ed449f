#include <algorithm>
#include <limits>
#include <vector>

#include "model/kernels/router.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/router_cpu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "model/kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

void SigmoidImpl(float* HWY_RESTRICT scores, int64_t size) {
  const Eight d;
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    StorePart(SigmoidOf(d, LoadPart(d, scores + i, count)), d, scores + i,
              count);
  });
}

// row becomes its softmax.
void SoftmaxRow(float* HWY_RESTRICT row, int64_t size) {
  const Eight d;
  const auto total = PowersOfRow(row, size, /*scale=*/1.0f).sum;
  ForLanes(d, size, [&](int64_t i, int64_t count) HWY_ATTR {
    StorePart(hn::Div(LoadPart(d, row + i, count), total), d, row + i, count);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {
namespace {

HWY_EXPORT(SigmoidImpl);
HWY_EXPORT(SoftmaxRow);

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Sum of the two largest of `size` numbers (of the one, where there is one).
float BestTwo(const float* scores, int64_t size) {
  float first = scores[0];
  float second = kNever;
  for (int64_t i = 1; i < size; ++i) {
    if (scores[i] > first) {
      second = first;
      first = scores[i];
    } else {
      second = std::max(second, scores[i]);
    }
  }
  return size > 1 ? first + second : first;
}

float ScoreOfGroup(const RouterParams& p, const float* scores, int64_t width) {
  return p.group_best == 1 ? *std::max_element(scores, scores + width)
                           : BestTwo(scores, width);
}

// The first of the largest that is not taken yet. Something is always found,
// NaN or not, so that every row gets distinct experts.
int64_t BestFree(const float* scores, const std::vector<char>& taken,
                 int64_t size) {
  int64_t best = -1;
  for (int64_t i = 0; i < size; ++i) {
    if (taken[static_cast<size_t>(i)] != 0) continue;
    if (best < 0 || scores[i] > scores[best]) best = i;
  }
  return best;
}

}  // namespace

void ScoreExperts(const RouterParams& p, float* logits) {
  if (!p.softmax) {
    HWY_DYNAMIC_DISPATCH(SigmoidImpl)(logits, p.n * p.experts);
    return;
  }
  for (int64_t n = 0; n < p.n; ++n) {
    HWY_DYNAMIC_DISPATCH(SoftmaxRow)(logits + n * p.experts, p.experts);
  }
}

void ChooseExperts(const RouterParams& p, const float* scores,
                   const float* bias, int64_t* chosen) {
  const int64_t width = p.experts / p.groups;
  std::vector<float> biased(static_cast<size_t>(p.experts));
  std::vector<float> of_group(static_cast<size_t>(p.groups));
  std::vector<char> group_kept(static_cast<size_t>(p.groups));
  std::vector<char> taken(static_cast<size_t>(p.experts));
  for (int64_t n = 0; n < p.n; ++n) {
    for (int64_t e = 0; e < p.experts; ++e) {
      biased[static_cast<size_t>(e)] =
          scores[n * p.experts + e] + (bias == nullptr ? 0.0f : bias[e]);
    }
    // Experts of groups that are not kept count as taken.
    std::fill(taken.begin(), taken.end(), p.groups > 1 ? 1 : 0);
    if (p.groups > 1) {
      for (int64_t g = 0; g < p.groups; ++g) {
        of_group[static_cast<size_t>(g)] =
            ScoreOfGroup(p, biased.data() + g * width, width);
      }
      std::fill(group_kept.begin(), group_kept.end(), 0);
      for (int64_t i = 0; i < p.groups_per_token; ++i) {
        const int64_t g = BestFree(of_group.data(), group_kept, p.groups);
        group_kept[static_cast<size_t>(g)] = 1;
        std::fill_n(taken.begin() + g * width, width, 0);
      }
    }
    int64_t* const row = chosen + n * p.per_token;
    for (int64_t j = 0; j < p.per_token; ++j) {
      row[j] = BestFree(biased.data(), taken, p.experts);
      taken[static_cast<size_t>(row[j])] = 1;
    }
    std::sort(row, row + p.per_token);
  }
}

void RouteWeights(const RouterParams& p, const float* scores,
                  const int64_t* chosen, float* weights) {
  for (int64_t n = 0; n < p.n; ++n) {
    const float* const row = scores + n * p.experts;
    const int64_t* const at = chosen + n * p.per_token;
    float* const to = weights + n * p.per_token;
    float sum = 0;
    for (int64_t j = 0; j < p.per_token; ++j) sum += row[at[j]];
    const float divisor = p.normalise ? sum + 1e-20f : 1.0f;
    for (int64_t j = 0; j < p.per_token; ++j) {
      to[j] = row[at[j]] / divisor * p.scaling;
    }
  }
}

void RouteWeightsBackward(const RouterParams& p, const float* scores,
                          const int64_t* chosen, const float* grad,
                          float* to_logits) {
  std::fill_n(to_logits, p.n * p.experts, 0.0f);
  for (int64_t n = 0; n < p.n; ++n) {
    const float* const row = scores + n * p.experts;
    const int64_t* const at = chosen + n * p.per_token;
    const float* const g = grad + n * p.per_token;
    float* const to = to_logits + n * p.experts;
    float sum = 0;
    float pull = 0;
    for (int64_t j = 0; j < p.per_token; ++j) {
      sum += row[at[j]];
      pull += g[j] * row[at[j]];
    }
    const float divisor = p.normalise ? sum + 1e-20f : 1.0f;
    pull = p.normalise ? pull / divisor : 0.0f;
    float of_scores = 0;  // Sum of gradient times score.
    for (int64_t j = 0; j < p.per_token; ++j) {
      const float s = row[at[j]];
      const float slope = (g[j] - pull) / divisor * p.scaling;
      to[at[j]] += p.softmax ? slope * s : slope * s * (1 - s);
      of_scores += slope * s;
    }
    if (!p.softmax) continue;
    for (int64_t e = 0; e < p.experts; ++e) to[e] -= row[e] * of_scores;
  }
}

}  // namespace cohort
#endif  // HWY_ONCE
