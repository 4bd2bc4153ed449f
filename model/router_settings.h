// How a mixture-of-experts layer chooses its experts, as config.json says.
#pragma once

#include <cstdint>

namespace cohort {

struct RouterSettings {
  int64_t experts_per_token = 1;  // K
  int64_t groups = 1;             // Equal runs of experts.
  int64_t groups_per_token = 1;   // Groups that may be chosen from.
  bool normalise = true;          // Weights divided by their sum + 1e-20.
  double scaling = 1.0;           // On the weights, after normalising.
};

}  // namespace cohort
