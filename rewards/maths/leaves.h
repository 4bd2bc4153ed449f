// Single values: numbers with units, percentages, ratios, bases, words.
#pragma once

#include "rewards/maths/scalar.h"

namespace cohort {

// Compares two values that are no lists, tuples, sets, matrices or chains,
// under the workspace's policy.
Comparison SameLeaves(Workspace* w, int gold, int prediction);

}  // namespace cohort
