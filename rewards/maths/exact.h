// Exact values of constants, and what has no value.
#pragma once

#include <gmpxx.h>

#include <deque>

#include "rewards/maths/expr.h"

namespace cohort {

inline constexpr size_t kMaxExactBits = 4096;

enum class ValueState : uint8_t {
  kUnknown,  // Not a rational number, or one too large.
  kRational,
  kInfinite,   // `value` is 1 or -1.
  kUndefined,  // 5/0, 0 times infinity, the logarithm of 0.
};

struct ExactValue {
  ValueState state = ValueState::kUnknown;
  mpq_class value;
};

// Exact values of all nodes of `e` up to and with `root`, in a table that grows
// with it. Work is bounded per node by kMaxExactBits.
class ExactTable {
 public:
  ExactTable(const Expr* e, bool zero_to_zero)
      : e_(*e), zero_to_zero_(zero_to_zero) {}

  // Stays where it is while the table grows.
  const ExactValue& At(int node) {
    while (static_cast<int>(values_.size()) <= node) {
      values_.push_back(Of(static_cast<int>(values_.size())));
    }
    return values_[node];
  }
  bool IsRational(int node) { return At(node).state == ValueState::kRational; }

 private:
  ExactValue Of(int node) const;
  ExactValue OfOperation(int node) const;
  ExactValue Fold(int node, bool product) const;
  ExactValue Quotient(const ExactValue& a, const ExactValue& b) const;
  ExactValue Power(const ExactValue& a, const ExactValue& b) const;
  ExactValue OfFunction(int node) const;
  ExactValue OfIntegers(int node) const;

  const Expr& e_;
  const bool zero_to_zero_;
  std::deque<ExactValue> values_;
};

}  // namespace cohort
