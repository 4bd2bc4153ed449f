// Values of expressions modulo a prime, with symbols and everything that is no
// ring operation put in as numbers that depend on nothing but the value of what
// stands inside. Equal values mean that the rules of arithmetic turn one
// expression into the other, but for a chance below 2^-50. Different values of
// rational functions mean different functions.
//
// Source: Schwartz (1980) and Zippel (1979) on identity by evaluation.
#pragma once

#include <cstdint>
#include <deque>

#include "rewards/maths/exact.h"
#include "rewards/maths/expr.h"

namespace cohort {

struct ModularValue {
  static constexpr int kPoints = 2;
  uint64_t at[kPoints] = {};
  bool ring = true;   // A rational function of symbols and i.
  bool known = true;  // False: a division by zero at one of the points.

  bool SameAs(const ModularValue& other) const {
    return known && other.known && at[0] == other.at[0] && at[1] == other.at[1];
  }
};

// Values of all nodes of `e`, in a table that grows with it.
class ModularTable {
 public:
  ModularTable(const Expr* e, ExactTable* exact) : e_(*e), exact_(*exact) {}

  const ModularValue& At(int node) {
    while (static_cast<int>(values_.size()) <= node) {
      values_.push_back(Of(static_cast<int>(values_.size())));
    }
    return values_[node];
  }

 private:
  ModularValue Of(int node);
  ModularValue OfOperation(int node);
  ModularValue OfFunction(int node);
  ModularValue Power(int node);
  ModularValue Binomial(int node);
  // A number that stands for `tag` applied to the children's values.
  ModularValue Opaque(uint64_t tag, int node) const;

  const Expr& e_;
  ExactTable& exact_;
  std::deque<ModularValue> values_;
};

}  // namespace cohort
