// Whether two parsed answers say the same.
#pragma once

#include "rewards/maths/scalar.h"

namespace cohort {

// Compares what stands at the nodes `gold` and `prediction` of the workspace,
// whatever shapes they have. Lists and sets have no order; tuples have one;
// intervals, unions and inequalities are sets of numbers; "x = 5" is 5.
Comparison SameAnswers(Workspace* w, int gold, int prediction);

}  // namespace cohort
