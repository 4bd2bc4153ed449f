// How a mixture-of-experts layer chooses its experts, as config.json says.
#pragma once

#include <cstdint>

namespace cohort {

struct RouterSettings {
  // Scores: softmax over all experts (DeepSeek-V2), or sigmoids (V3).
  bool softmax = false;
  // Whether a bias per expert, not trained, joins the scores for choosing.
  bool correction_bias = false;
  // A group's score is the sum of its so many best experts: 1 in V2, 2 in V3.
  int64_t group_best = 2;
  int64_t experts_per_token = 1;  // K
  int64_t groups = 1;             // Equal runs of experts.
  int64_t groups_per_token = 1;   // Groups that may be chosen from.
  bool normalise = true;          // Weights divided by their sum + 1e-20.
  double scaling = 1.0;           // On the weights, after normalising.
};

}  // namespace cohort
