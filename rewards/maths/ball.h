// Values of expressions as balls (midpoint and radius, complex), which always
// hold the true value.
#pragma once

#include <acb.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "rewards/maths/exact.h"
#include "rewards/maths/expr.h"
#include "rewards/maths/modular.h"

namespace cohort {

// FLINT and its kin keep caches per thread; called by whatever uses them, this
// gives them back when the thread ends.
void FreeCachesAtThreadEnd();

// One complex ball, owned.
class Ball {
 public:
  Ball() { acb_init(value_); }
  ~Ball() { acb_clear(value_); }
  Ball(const Ball& other) : Ball() { acb_set(value_, other.value_); }
  Ball(Ball&& other) noexcept : Ball() { acb_swap(value_, other.value_); }
  Ball& operator=(Ball other) noexcept {
    acb_swap(value_, other.value_);
    return *this;
  }
  acb_ptr get() { return value_; }
  acb_srcptr get() const { return value_; }

 private:
  acb_t value_;
};

// Where symbols are given values.
struct SamplePoint {
  int index = 0;          // Which of several points.
  bool negative = false;  // Symbols take values of both signs.
};

// Evaluates trees of `e` at one point and one precision (bits).
class BallEvaluator {
 public:
  BallEvaluator(const Expr& e, ExactTable* exact, ModularTable* modular,
                SamplePoint point, long precision)
      : e_(e),
        exact_(*exact),
        modular_(*modular),
        point_(point),
        bits_(precision) {}

  // The value at `root`; not finite where there is none or it was not found at
  // this precision.
  Ball Run(int root);

  // A node that stands for nothing known was given a made-up value, so that
  // different values prove nothing.
  bool opaque() const { return opaque_; }

 private:
  void Evaluate(int node, Ball* out);
  void EvaluateSymbol(uint64_t hash, Ball* out) const;
  void EvaluatePower(int node, Ball* out);
  void EvaluateRoot(acb_srcptr base, unsigned long degree, Ball* out);
  void EvaluateFunction(int node, Ball* out);
  void EvaluateReal(int node, Ball* out);
  bool EvaluateElementary(int node, acb_srcptr x, acb_ptr out);

  const Expr& e_;
  ExactTable& exact_;
  ModularTable& modular_;
  const SamplePoint point_;
  const long bits_;
  bool opaque_ = false;
  std::vector<Ball> values_;
};

// Whether the tree at `root` has symbols, or what counts as one.
bool HasSymbols(const Expr& e, int root);

// The real value of a constant within a relative 2^-50; nothing where it is not
// real or not found.
std::optional<double> RealValue(const Expr& e, ExactTable* exact,
                                ModularTable* modular, int root);

}  // namespace cohort
