#include "rewards/maths/exact.h"

#include <utility>

namespace cohort {
namespace {

constexpr unsigned long kMaxFactorial = 500;
constexpr unsigned long kMaxRoot = 64;

bool Fits(const mpq_class& q) {
  return mpz_sizeinbase(q.get_num_mpz_t(), 2) <= kMaxExactBits &&
         mpz_sizeinbase(q.get_den_mpz_t(), 2) <= kMaxExactBits;
}

ExactValue Rational(mpq_class q) {
  if (!Fits(q)) return {};
  return {.state = ValueState::kRational, .value = std::move(q)};
}

ExactValue Undefined() {
  return {.state = ValueState::kUndefined, .value = {}};
}

ExactValue Infinite(int sign) {
  return {.state = ValueState::kInfinite, .value = sign};
}

bool IsInteger(const ExactValue& v) {
  return v.state == ValueState::kRational && v.value.get_den() == 1;
}

// The exact k-th root of a rational number that is one, the real one.
ExactValue Root(const mpq_class& q, unsigned long k) {
  if (k == 0 || k > kMaxRoot) return {};
  if (q < 0 && k % 2 == 0) return {};
  mpz_class above;
  mpz_class below;
  const mpz_class num = abs(q.get_num());
  if (mpz_root(above.get_mpz_t(), num.get_mpz_t(), k) == 0) return {};
  if (mpz_root(below.get_mpz_t(), q.get_den_mpz_t(), k) == 0) return {};
  if (q < 0) above = -above;
  return Rational(mpq_class(above, below));
}

mpz_class Floor(const mpq_class& q) {
  mpz_class floor;
  mpz_fdiv_q(floor.get_mpz_t(), q.get_num_mpz_t(), q.get_den_mpz_t());
  return floor;
}

mpq_class Gcd(const mpq_class& a, const mpq_class& b) {
  // Of fractions: gcd of the numerators over lcm of the denominators.
  mpq_class g(gcd(a.get_num(), b.get_num()), lcm(a.get_den(), b.get_den()));
  g.canonicalize();
  return g;
}

}  // namespace

ExactValue ExactTable::Of(int node) const {
  switch (e_.OpOf(node)) {
    case Op::kNumber:
      return Rational(e_.Number(node));
    case Op::kInfinity:
      return Infinite(1);
    case Op::kBased:
      if (values_[e_.Kid(node, 0)].state == ValueState::kRational &&
          values_[e_.Kid(node, 0)].value == 10) {
        return Rational(mpq_class(mpz_class(e_.Name(node), 10)));
      }
      return {};
    case Op::kSymbol:
    case Op::kPi:
    case Op::kE:
    case Op::kI:
    case Op::kText:
    case Op::kReals:
    case Op::kEmptySet:
      return {};
    default:
      break;
  }
  // Structures have no value of their own.
  if (e_.OpOf(node) >= Op::kList || e_.OpOf(node) == Op::kQuantity) return {};
  for (const int kid : e_.Kids(node)) {
    if (values_[kid].state == ValueState::kUndefined) return Undefined();
  }
  if (e_.OpOf(node) == Op::kNegate) {
    ExactValue v = values_[e_.Kid(node, 0)];
    v.value = -v.value;
    return v;
  }
  bool infinite = false;
  for (const int kid : e_.Kids(node)) {
    infinite = infinite || values_[kid].state == ValueState::kInfinite;
  }
  const bool opaque =
      e_.OpOf(node) == Op::kCall || e_.OpOf(node) == Op::kIntegral;
  if (infinite) return opaque ? ExactValue() : Undefined();
  return OfOperation(node);
}

ExactValue ExactTable::OfOperation(int node) const {
  const ExactValue& a = values_[e_.Kid(node, 0)];
  const bool known = a.state == ValueState::kRational;
  switch (e_.OpOf(node)) {
    case Op::kAdd:
      return Fold(node, false);
    case Op::kMultiply:
      return Fold(node, true);
    case Op::kDivide:
      return Quotient(a, values_[e_.Kid(node, 1)]);
    case Op::kPower:
      return Power(a, values_[e_.Kid(node, 1)]);
    case Op::kRoot: {
      const ExactValue& k = values_[e_.Kid(node, 1)];
      if (!known || !IsInteger(k) || k.value < 1 || k.value > kMaxRoot)
        return {};
      return Root(a.value, k.value.get_num().get_ui());
    }
    case Op::kFactorial:
      if (!IsInteger(a)) return {};
      if (a.value < 0) return Undefined();
      if (a.value > kMaxFactorial) return {};
      {
        mpz_class f;
        mpz_fac_ui(f.get_mpz_t(), a.value.get_num().get_ui());
        return Rational(mpq_class(f));
      }
    case Op::kPercent:
      if (!known) return {};
      return Rational(a.value / 100);
    case Op::kFunction:
      return OfFunction(node);
    default:
      return {};
  }
}

ExactValue ExactTable::Fold(int node, bool product) const {
  mpq_class all = product ? 1 : 0;
  for (const int kid : e_.Kids(node)) {
    if (values_[kid].state != ValueState::kRational) return {};
    if (product) {
      all *= values_[kid].value;
    } else {
      all += values_[kid].value;
    }
    if (!Fits(all)) return {};
  }
  return Rational(std::move(all));
}

ExactValue ExactTable::Quotient(const ExactValue& a,
                                const ExactValue& b) const {
  if (b.state != ValueState::kRational) return {};
  if (b.value == 0) return Undefined();
  if (a.state != ValueState::kRational) return {};
  return Rational(a.value / b.value);
}

ExactValue ExactTable::Power(const ExactValue& a, const ExactValue& b) const {
  if (a.state != ValueState::kRational || b.state != ValueState::kRational) {
    return {};
  }
  if (a.value == 0 && b.value == 0) {
    return zero_to_zero_ ? Rational(1) : Undefined();
  }
  if (a.value == 0) return b.value > 0 ? Rational(0) : Undefined();
  if (a.value == 1) return Rational(1);
  const mpz_class& den = b.value.get_den();
  const mpz_class num = abs(b.value.get_num());
  if (den > kMaxRoot || num > kMaxExactBits) return {};
  const size_t bits = std::max(mpz_sizeinbase(a.value.get_num_mpz_t(), 2),
                               mpz_sizeinbase(a.value.get_den_mpz_t(), 2));
  if (bits > 1 && (bits - 1) * num.get_ui() > kMaxExactBits) return {};
  ExactValue base = Root(a.value, den.get_ui());
  if (base.state != ValueState::kRational) return {};
  mpq_class power;
  mpz_pow_ui(power.get_num_mpz_t(), base.value.get_num_mpz_t(), num.get_ui());
  mpz_pow_ui(power.get_den_mpz_t(), base.value.get_den_mpz_t(), num.get_ui());
  if (b.value < 0) power = 1 / power;
  return Rational(std::move(power));
}

ExactValue ExactTable::OfFunction(int node) const {
  const auto function = static_cast<Function>(e_.nodes[node].payload);
  for (const int kid : e_.Kids(node)) {
    if (values_[kid].state != ValueState::kRational) return {};
  }
  const mpq_class& a = values_[e_.Kid(node, 0)].value;
  switch (function) {
    case Function::kAbs:
      return Rational(abs(a));
    case Function::kSign:
      return Rational(sgn(a));
    case Function::kFloor:
      return Rational(mpq_class(Floor(a)));
    case Function::kCeil:
      return Rational(mpq_class(-Floor(-a)));
    case Function::kRound:
      return Rational(mpq_class(Floor(a + mpq_class(1, 2))));
    case Function::kRe:
    case Function::kConjugate:
      return Rational(a);
    case Function::kIm:
      return Rational(0);
    case Function::kLn:
    case Function::kLog:
      if (a == 0) return Undefined();
      if (a == 1) return Rational(0);
      return {};
    default:
      return OfIntegers(node);
  }
}

ExactValue ExactTable::OfIntegers(int node) const {
  const auto function = static_cast<Function>(e_.nodes[node].payload);
  const auto kids = e_.Kids(node);
  mpq_class all = values_[kids[0]].value;
  switch (function) {
    case Function::kMod: {
      const mpq_class& m = values_[kids[1]].value;
      if (m == 0) return Undefined();
      return Rational(all - m * mpq_class(Floor(all / m)));
    }
    case Function::kBinomial: {
      const ExactValue& k = values_[kids[1]];
      if (all.get_den() != 1 || !IsInteger(k)) return {};
      if (k.value < 0) return Rational(0);
      if (k.value > kMaxFactorial) return {};
      mpz_class b;
      mpz_bin_ui(b.get_mpz_t(), all.get_num_mpz_t(),
                 k.value.get_num().get_ui());
      return Rational(mpq_class(b));
    }
    case Function::kGcd:
    case Function::kLcm:
    case Function::kMin:
    case Function::kMax:
      break;
    default:
      return {};
  }
  const bool divides = function == Function::kGcd || function == Function::kLcm;
  if (divides) all = abs(all);
  for (const int kid : kids.subspan(1)) {
    const mpq_class& next = values_[kid].value;
    if (function == Function::kMin) {
      all = std::min(all, next);
    } else if (function == Function::kMax) {
      all = std::max(all, next);
    } else if (function == Function::kGcd) {
      all = Gcd(all, next);
    } else if (all == 0 || next == 0) {
      all = 0;
    } else {
      all = abs(all * next) / Gcd(all, next);
    }
    if (!Fits(all)) return {};
  }
  return Rational(std::move(all));
}

}  // namespace cohort
