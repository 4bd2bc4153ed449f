// LaTeX and plain text -> an expression. An operator-precedence parser with its
// own stacks: it never recurses on the input, evaluates nothing, and takes
// linear time.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "configs/math_policy.h"
#include "rewards/maths/expr.h"

namespace cohort {

struct ParsedMath {
  Expr expr;
  int root = -1;
};

// Reads the whole of `text` (as AsciiMath gives it) or nothing: a part that is
// not understood makes the whole of it not understood.
//   kInvalidArgument  not mathematics that is known here; says what was in the
//                     way
absl::StatusOr<ParsedMath> ParseMath(std::string_view text,
                                     const MathPolicy& policy);

}  // namespace cohort
