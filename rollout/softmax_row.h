// The numerators of one row's softmax, fast: exponentials in vectors.
#pragma once

#include <cstdint>

namespace cohort {

// Numerators are also summed by runs of this many tokens.
inline constexpr int64_t kSoftmaxRun = 128;

// What log-probabilities of a row are made of, with the arithmetic of
// TokenLogprobCpu (model/kernels/token_logprob.h): the same bits.
struct SoftmaxFacts {
  float max;    // Of the logits.
  float total;  // Sum of the numerators.
};

// numerators[i] = exp((logits[i] - max) * inv_temperature), for i < v;
// run_sums[j]: the sum of run j, [ceil(v / kSoftmaxRun)]. NaN in a sum says
// that a logit is NaN or +inf, or that all are -inf. The same bits for the same
// row.
SoftmaxFacts SoftmaxRow(const float* logits, int64_t v, float inv_temperature,
                        float* numerators, float* run_sums);

}  // namespace cohort
