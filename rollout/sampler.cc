#include "rollout/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "model/kernels/token_logprob.h"
#include "proto/check.h"
#include "rollout/softmax_row.h"

namespace cohort {
namespace {

// Tokens sorted at first in the search for top-p; doubled until they suffice.
constexpr size_t kFirstSorted = 64;

// The arithmetic that the learner uses on the same logits.
float GreedyLogprob(absl::Span<const float> logits, int64_t token) {
  float logprob = 0;
  TokenLogprobCpu({.logits = logits.data(),
                   .target = &token,
                   .out = &logprob,
                   .entropy = nullptr,
                   .log_sum = nullptr,
                   .n = 1,
                   .v = static_cast<int64_t>(logits.size()),
                   .inv_temperature = 1});
  return logprob;
}

// The same arithmetic, from what the choice computed already.
float LogprobOf(float logit, const SoftmaxFacts& facts, float inv_temperature) {
  return static_cast<float>(
      static_cast<double>((logit - facts.max) * inv_temperature) -
      std::log(static_cast<double>(facts.total)));
}

}  // namespace

absl::StatusOr<SampledToken> Sampler::Sample(absl::Span<const float> logits,
                                             const Sampling& sampling,
                                             double uniform) {
  const size_t v = logits.size();
  COHORT_CHECK(v > 0);
  int64_t token = 0;
  float logprob = 0;
  if (sampling.temperature() == 0) {
    token = std::max_element(logits.begin(), logits.end()) - logits.begin();
    logprob = GreedyLogprob(logits, token);
  } else {
    const float inv_temperature =
        static_cast<float>(1.0 / sampling.temperature());
    numerators_.resize(v);
    run_sums_.resize((v + kSoftmaxRun - 1) / kSoftmaxRun);
    const SoftmaxFacts facts =
        SoftmaxRow(logits.data(), static_cast<int64_t>(v), inv_temperature,
                   numerators_.data(), run_sums_.data());
    const bool some =
        (sampling.top_k() > 0 && static_cast<size_t>(sampling.top_k()) < v) ||
        sampling.top_p() < 1;
    if (some) {
      KeepLikeliest(logits, sampling);
      token = ChooseFromKept(uniform);
    } else {
      token = ChooseFromAll(uniform);
    }
    logprob =
        LogprobOf(logits[static_cast<size_t>(token)], facts, inv_temperature);
  }
  if (!std::isfinite(logprob)) {
    return absl::InternalError(
        absl::StrCat("logits are not finite: the log-probability of token ",
                     token, " is ", logprob));
  }
  return SampledToken{.token = static_cast<int32_t>(token), .logprob = logprob};
}

int64_t Sampler::ChooseFromAll(double uniform) const {
  double total = 0;
  for (const float sum : run_sums_) total += sum;
  const double wanted = uniform * total;
  double before = 0;
  size_t run = 0;
  while (run + 1 < run_sums_.size() && before + run_sums_[run] <= wanted) {
    before += run_sums_[run++];
  }
  // A run's sum is rounded: what its tokens leave over goes to its last one
  // that can be chosen at all.
  const size_t begin = run * kSoftmaxRun;
  const size_t end = std::min(begin + kSoftmaxRun, numerators_.size());
  size_t last = begin;
  for (size_t i = begin; i < end; ++i) {
    if (!(numerators_[i] > 0)) continue;
    before += numerators_[i];
    last = i;
    if (before > wanted) break;
  }
  return static_cast<int64_t>(last);
}

// Fills kept_, in no particular order.
void Sampler::KeepLikeliest(absl::Span<const float> logits,
                            const Sampling& sampling) {
  const auto likelier = [&](int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  };
  kept_.resize(logits.size());
  std::iota(kept_.begin(), kept_.end(), 0);
  // NaN has no place in an order; it is reported later.
  std::erase_if(kept_, [&](int32_t i) { return std::isnan(logits[i]); });
  const auto top_k = static_cast<size_t>(std::max(0, sampling.top_k()));
  if (top_k > 0 && top_k < kept_.size()) {
    std::nth_element(kept_.begin(), kept_.begin() + sampling.top_k(),
                     kept_.end(), likelier);
    kept_.resize(top_k);
  }
  if (sampling.top_p() >= 1) return;

  double total = 0;
  for (const int32_t i : kept_) total += numerators_[i];
  if (!(total > 0)) return;  // NaN: reported later.
  const double wanted = sampling.top_p() * total;
  // All tokens below this together have no more than what may be left out.
  const double least =
      0.999 * (total - wanted) / static_cast<double>(kept_.size());
  std::erase_if(kept_, [&](int32_t i) { return numerators_[i] < least; });
  double sum = 0;
  size_t count = 0;
  for (size_t sorted = 0, step = kFirstSorted; sorted < kept_.size();
       step *= 2) {
    const size_t end = std::min(sorted + step, kept_.size());
    const auto first = kept_.begin() + static_cast<std::ptrdiff_t>(sorted);
    const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(end);
    std::nth_element(first, last - 1, kept_.end(), likelier);
    std::sort(first, last, likelier);
    for (; sorted < end && (count == 0 || sum < wanted); ++sorted) {
      sum += numerators_[kept_[sorted]];
      count = sorted + 1;
    }
    if (sum >= wanted) break;
  }
  kept_.resize(count);
}

int64_t Sampler::ChooseFromKept(double uniform) {
  std::sort(kept_.begin(), kept_.end());
  double total = 0;
  for (const int32_t i : kept_) total += numerators_[i];
  const double wanted = uniform * total;
  double sum = 0;
  int64_t last = 0;
  for (const int32_t i : kept_) {
    if (!(numerators_[i] > 0)) continue;
    sum += numerators_[i];
    last = i;
    if (sum > wanted) break;
  }
  return last;
}

}  // namespace cohort
