// Proofs that constants are equal, by Calcium's exact fields.
#pragma once

#include "rewards/maths/exact.h"
#include "rewards/maths/expr.h"

namespace cohort {

enum class Proof : uint8_t { kZero, kNotZero, kUnknown };

// Whether the constant at `root` is 0. Unknown where it holds what Calcium does
// not know, or is beyond the limits that keep this within milliseconds.
Proof ProveZero(const Expr& e, ExactTable* exact, int root);

}  // namespace cohort
