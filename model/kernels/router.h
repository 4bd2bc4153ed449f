// Choice of experts on the CPU, float32 (DeepSeek-V3, arXiv:2412.19437,
// equations 13 to 16).
#pragma once

#include <cstdint>

namespace cohort {

struct RouterParams {
  int64_t n;          // Tokens.
  int64_t experts;    // E
  int64_t per_token;  // K
  int64_t groups;
  int64_t groups_per_token;
  bool normalise;
  float scaling;
};

// scores [n, E] become their sigmoid, in place.
void SigmoidInPlace(float* scores, int64_t size);

// chosen: [n, K], ascending. bias: [E].
void ChooseExperts(const RouterParams& params, const float* scores,
                   const float* bias, int64_t* chosen);

// weights: [n, K], of the experts in `chosen`.
void RouteWeights(const RouterParams& params, const float* scores,
                  const int64_t* chosen, float* weights);

// to_logits: [n, E], written: the gradient before the sigmoid.
void RouteWeightsBackward(const RouterParams& params, const float* scores,
                          const int64_t* chosen, const float* grad,
                          float* to_logits);

}  // namespace cohort
