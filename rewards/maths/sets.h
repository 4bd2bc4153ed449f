// Sets of real numbers: intervals, unions, solutions of inequalities.
#pragma once

#include "rewards/maths/scalar.h"

namespace cohort {

// Whether the node can be nothing but a set of reals: [0,1), R, x < 3.
bool IsRealSet(const Expr& e, int node);

// The node as a set made of intervals, points and operations on sets; added to
// the workspace. -1 where it cannot be read as one. (a,b) is an interval here,
// and so is what solves an inequality in one symbol.
int AsRealSet(Workspace* w, int node);

// Whether two results of AsRealSet are the same set.
Comparison SameRealSets(Workspace* w, int a, int b);

}  // namespace cohort
