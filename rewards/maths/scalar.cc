#include "rewards/maths/scalar.h"

#include "rewards/maths/proof.h"

namespace cohort {
namespace {

// What one step costs of the budget, in units of about 10 microseconds.
constexpr long kBallCost = 1;
constexpr long kProofCost = 400;

// Values agree where nothing but the last bits is left of their difference.
bool Agrees(acb_srcptr z, long bits) {
  mag_t size;
  mag_init(size);
  acb_get_mag(size, z);
  const bool small = mag_cmp_2exp_si(size, -bits / 2) < 0;
  mag_clear(size);
  return small;
}

// Whether a symbol stands in a denominator of the tree at `root`.
bool HasPoles(const Expr& e, int root) {
  const std::vector<bool> reached = e.Reached(root);
  std::vector<bool> symbols(root + 1, false);
  for (int i = 0; i <= root; ++i) {
    symbols[i] = e.OpOf(i) == Op::kSymbol;
    for (const int kid : e.Kids(i)) symbols[i] = symbols[i] || symbols[kid];
    if (!reached[i]) continue;
    if (e.OpOf(i) == Op::kDivide && symbols[e.Kid(i, 1)]) return true;
    if (e.OpOf(i) == Op::kPower && symbols[e.Kid(i, 0)]) {
      const int exponent = e.Kid(i, 1);
      if (e.OpOf(exponent) == Op::kNegate) return true;
    }
  }
  return false;
}

bool IsInfinite(const ExactValue& v) {
  return v.state == ValueState::kInfinite;
}

}  // namespace

Comparison Workspace::Same(int a, int b) {
  if (!Spend(1)) return {Equality::kUndecided, "work limit"};
  const ExactValue& x = exact.At(a);
  const ExactValue& y = exact.At(b);
  if (x.state == ValueState::kUndefined || y.state == ValueState::kUndefined) {
    return {Equality::kDifferent, "has no value"};
  }
  if (IsInfinite(x) || IsInfinite(y)) {
    return IsInfinite(x) && IsInfinite(y) && x.value == y.value ? kIsEqual
                                                                : kIsDifferent;
  }
  if (x.state == ValueState::kRational && y.state == ValueState::kRational) {
    return x.value == y.value ? kIsEqual : kIsDifferent;
  }
  const ModularValue& m = modular.At(a);
  const ModularValue& n = modular.At(b);
  if (m.SameAs(n)) {
    if (m.ring && !policy.removable && HasPoles(e, a) != HasPoles(e, b)) {
      return {Equality::kDifferent, "equal but for a removable singularity"};
    }
    return kIsEqual;
  }
  if (m.known && n.known && m.ring && n.ring) return kIsDifferent;
  return ByBalls(a, b);
}

Comparison Workspace::ByBalls(int a, int b) {
  const int minus = e.Add(Op::kNegate, {b});
  const int difference = e.Add(Op::kAdd, {a, minus});
  const bool symbols = HasSymbols(e, difference);
  static constexpr SamplePoint kPoints[] = {
      {0, false}, {1, true}, {2, true}, {3, false}, {4, true}};
  int agreeing = 0;
  for (const SamplePoint& point : kPoints) {
    if (policy.positive_variables && point.negative) continue;
    bool agree = false;
    const Comparison verdict = AtPoint(difference, point, &agree);
    if (verdict.equality != Equality::kEqual) return verdict;
    if (agree) ++agreeing;
    if (!symbols) break;
  }
  if (!symbols) return AgreeingConstants(difference);
  if (agreeing >= (policy.positive_variables ? 2 : 3)) return kIsEqual;
  return {Equality::kUndecided, "no values to compare"};
}

// kDifferent where the balls lie apart; `agree` where they are one to the last
// bits; neither where there is no value at this point.
Comparison Workspace::AtPoint(int difference, SamplePoint point, bool* agree) {
  for (const long bits : {64L, 256L}) {
    const long nodes = static_cast<long>(e.TreeSize(difference));
    if (!Spend(kBallCost * (1 + nodes / 8))) {
      return {Equality::kUndecided, "work limit"};
    }
    BallEvaluator evaluator(e, &exact, &modular, point, bits);
    const Ball value = evaluator.Run(difference);
    if (!acb_is_finite(value.get())) continue;
    if (!acb_contains_zero(value.get())) {
      if (evaluator.opaque()) return {Equality::kUndecided, "not known"};
      return kIsDifferent;
    }
    if (bits > 64 && Agrees(value.get(), bits)) *agree = true;
  }
  return kIsEqual;
}

Comparison Workspace::AgreeingConstants(int difference) {
  if (!Spend(kProofCost)) return {Equality::kUndecided, "work limit"};
  switch (ProveZero(e, &exact, difference)) {
    case Proof::kZero:
      return kIsEqual;
    case Proof::kNotZero:
      return kIsDifferent;
    case Proof::kUnknown:
      break;
  }
  return {Equality::kUndecided, "equal to many digits, not proven"};
}

int Workspace::Sign(int node) {
  const ExactValue& x = exact.At(node);
  if (x.state == ValueState::kRational || IsInfinite(x)) return sgn(x.value);
  const std::optional<double> value = RealValue(e, &exact, &modular, node);
  if (!value.has_value() || *value == 0) return 2;
  return *value > 0 ? 1 : -1;
}

}  // namespace cohort
