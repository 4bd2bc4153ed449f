// Whether two scalars are equal: cheap exact means first, proofs last.
#pragma once

#include <string>
#include <string_view>

#include "configs/math_policy.h"
#include "rewards/maths/ball.h"
#include "rewards/maths/exact.h"
#include "rewards/maths/expr.h"
#include "rewards/maths/modular.h"

namespace cohort {

enum class Equality : uint8_t { kEqual, kDifferent, kUndecided };

struct Comparison {
  Equality equality = Equality::kDifferent;
  std::string_view reason;  // Static text; empty where it is plain.
};

inline constexpr Comparison kIsEqual = {Equality::kEqual, ""};
inline constexpr Comparison kIsDifferent = {Equality::kDifferent, ""};

// The expressions of one comparison with the tables over them. All work is
// counted; once the budget is used up every further answer is "undecided".
class Workspace {
 public:
  explicit Workspace(const MathPolicy& policy)
      : policy(policy), exact(&e, policy.zero_to_zero), modular(&e, &exact) {}
  Workspace(const Workspace&) = delete;

  // In order: exact values; values modulo a prime; balls that lie apart at
  // several points; a proof by Calcium for constants; agreement of all balls
  // for what has symbols.
  Comparison Same(int a, int b);

  // The sign of the constant at `node`: -1, 0, 1; 2 where it is not known.
  int Sign(int node);

  // True until the budget of operations is used up.
  bool Spend(long operations) {
    budget_ -= operations;
    return budget_ > 0;
  }

  const MathPolicy& policy;
  Expr e;
  ExactTable exact;
  ModularTable modular;

 private:
  Comparison ByBalls(int a, int b);
  Comparison AtPoint(int difference, SamplePoint point, bool* agree);
  Comparison AgreeingConstants(int difference);
  bool SingularitiesDiffer(int a, int b) const;

  long budget_ = 4000;
};

}  // namespace cohort
