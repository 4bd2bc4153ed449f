// Choice of experts on the CPU, float32 (DeepSeek-V3, arXiv:2412.19437,
// equations 13 to 16; DeepSeek-V2, arXiv:2405.04434, equations 20 to 22).
#pragma once

#include <cstdint>

namespace cohort {

struct RouterParams {
  int64_t n;          // Tokens.
  int64_t experts;    // E
  int64_t per_token;  // K
  int64_t groups;
  int64_t groups_per_token;
  int64_t group_best;
  bool softmax;
  bool normalise;
  float scaling;
};

// Logits [n, E] become scores in place: sigmoids, or the softmax of each row.
void ScoreExperts(const RouterParams& params, float* logits);

// chosen: [n, K], ascending. bias: [E]; may be null.
void ChooseExperts(const RouterParams& params, const float* scores,
                   const float* bias, int64_t* chosen);

// weights: [n, K], of the experts in `chosen`.
void RouteWeights(const RouterParams& params, const float* scores,
                  const int64_t* chosen, float* weights);

// to_logits: [n, E], written: the gradient before ScoreExperts.
void RouteWeightsBackward(const RouterParams& params, const float* scores,
                          const int64_t* chosen, const float* grad,
                          float* to_logits);

}  // namespace cohort
