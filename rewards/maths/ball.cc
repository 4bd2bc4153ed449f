#include "rewards/maths/ball.h"

#include <acb_hypgeom.h>
#include <arb.h>
#include <flint/fmpq.h>
#include <flint/fmpz.h>

#include <utility>

namespace cohort {
namespace {

// Larger values than 2^kMaxExponent are not taken into functions that must
// reduce them.
constexpr long kMaxExponent = 4096;
// Nor are larger ones than 2^kMaxTower taken into powers.
constexpr long kMaxTower = 512;

using Elementary = void (*)(acb_ptr, acb_srcptr, slong);

// clang-format off
constexpr std::pair<Function, Elementary> kElementary[] = {
    {Function::kSin, acb_sin}, {Function::kCos, acb_cos},
    {Function::kTan, acb_tan}, {Function::kCot, acb_cot},
    {Function::kSec, acb_sec}, {Function::kCsc, acb_csc},
    {Function::kArcsin, acb_asin}, {Function::kArccos, acb_acos},
    {Function::kArctan, acb_atan}, {Function::kSinh, acb_sinh},
    {Function::kCosh, acb_cosh}, {Function::kTanh, acb_tanh},
    {Function::kCoth, acb_coth}, {Function::kSech, acb_sech},
    {Function::kCsch, acb_csch}, {Function::kArsinh, acb_asinh},
    {Function::kArcosh, acb_acosh}, {Function::kArtanh, acb_atanh},
    {Function::kExp, acb_exp}};
// clang-format on

void SetRational(acb_ptr out, const mpq_class& q, long bits) {
  fmpq_t value;
  fmpq_init(value);
  fmpq_set_mpq(value, q.get_mpq_t());
  acb_set_fmpq(out, value, bits);
  fmpq_clear(value);
}

bool IsBeyond(acb_srcptr x, long exponent) {
  mag_t size;
  mag_init(size);
  acb_get_mag(size, x);
  const bool beyond = mag_cmp_2exp_si(size, exponent) > 0;
  mag_clear(size);
  return beyond;
}

bool Huge(acb_srcptr x) { return IsBeyond(x, kMaxExponent); }

bool IsNegativeReal(acb_srcptr x) {
  return acb_is_real(x) && arb_is_negative(acb_realref(x));
}

struct ThreadCaches {
  ~ThreadCaches() { flint_cleanup(); }
  bool used = false;
};

}  // namespace

void FreeCachesAtThreadEnd() {
  thread_local ThreadCaches caches;
  caches.used = true;
}

Ball BallEvaluator::Run(int root) {
  FreeCachesAtThreadEnd();
  const std::vector<bool> reached = e_.Reached(root);
  values_.clear();
  values_.resize(root + 1);
  for (int i = 0; i <= root; ++i) {
    if (reached[i]) Evaluate(i, &values_[i]);
  }
  return values_[root];
}

void BallEvaluator::EvaluateSymbol(uint64_t hash, Ball* out) const {
  // A number between 1/4 and 17/4 with a denominator of 4096.
  const uint64_t mixed =
      (hash ^ (hash >> 29)) * 0x9E3779B97F4A7C15u +
      static_cast<uint64_t>(point_.index) * 0xD1B54A32D192ED03u;
  long numerator = static_cast<long>(1024 + ((mixed >> 20) & 0x3FFF));
  if (point_.negative && ((mixed >> 50) & 1) == 0) numerator = -numerator;
  acb_set_si(out->get(), numerator);
  acb_mul_2exp_si(out->get(), out->get(), -12);
}

void BallEvaluator::Evaluate(int node, Ball* out) {
  acb_ptr z = out->get();
  const ExactValue& exact = exact_.At(node);
  if (exact.state == ValueState::kRational) {
    return SetRational(z, exact.value, bits_);
  }
  const auto kids = e_.Kids(node);
  const auto kid = [&](size_t i) { return values_[kids[i]].get(); };
  switch (e_.OpOf(node)) {
    case Op::kSymbol:
      return EvaluateSymbol(modular_.At(node).at[0], out);
    case Op::kPi:
      return acb_const_pi(z, bits_);
    case Op::kE:
      arb_const_e(acb_realref(z), bits_);
      return;
    case Op::kI:
      return acb_onei(z);
    case Op::kNumber:
      return SetRational(z, e_.Number(node), bits_);
    case Op::kAdd:
      for (size_t i = 0; i < kids.size(); ++i) acb_add(z, z, kid(i), bits_);
      return;
    case Op::kMultiply:
      acb_one(z);
      for (size_t i = 0; i < kids.size(); ++i) acb_mul(z, z, kid(i), bits_);
      return;
    case Op::kNegate:
      return acb_neg(z, kid(0));
    case Op::kDivide:
      return acb_div(z, kid(0), kid(1), bits_);
    case Op::kPercent:
      return acb_div_ui(z, kid(0), 100, bits_);
    case Op::kDegrees:
      acb_const_pi(z, bits_);
      acb_mul(z, z, kid(0), bits_);
      return acb_div_ui(z, z, 180, bits_);
    case Op::kPower:
      return EvaluatePower(node, out);
    case Op::kRoot: {
      const ExactValue& k = exact_.At(kids[1]);
      if (k.state == ValueState::kRational && k.value.get_den() == 1 &&
          k.value >= 1 && k.value <= 1000) {
        return EvaluateRoot(kid(0), k.value.get_num().get_ui(), out);
      }
      acb_inv(z, kid(1), bits_);
      return acb_pow(z, kid(0), z, bits_);
    }
    case Op::kFactorial:
      acb_add_ui(z, kid(0), 1, bits_);
      if (Huge(z)) return acb_indeterminate(z);
      return acb_gamma(z, z, bits_);
    case Op::kFunction:
      return EvaluateFunction(node, out);
    default: {
      opaque_ = true;
      return EvaluateSymbol(modular_.At(node).at[0], out);
    }
  }
}

// The real root of a negative number where the degree is odd; else the
// principal one.
void BallEvaluator::EvaluateRoot(acb_srcptr base, unsigned long degree,
                                 Ball* out) {
  acb_ptr z = out->get();
  if (degree == 2) return acb_sqrt(z, base, bits_);
  const bool negative = IsNegativeReal(base) && degree % 2 == 1;
  Ball positive;
  if (negative) {
    acb_neg(positive.get(), base);
  } else {
    acb_set(positive.get(), base);
  }
  acb_root_ui(z, positive.get(), degree, bits_);
  if (negative) acb_neg(z, z);
}

void BallEvaluator::EvaluatePower(int node, Ball* out) {
  acb_ptr z = out->get();
  const int base_node = e_.Kid(node, 0);
  const int exponent_node = e_.Kid(node, 1);
  acb_srcptr base = values_[base_node].get();
  acb_srcptr exponent = values_[exponent_node].get();
  const ExactValue& exact = exact_.At(exponent_node);
  if (IsBeyond(base, kMaxTower) || IsBeyond(exponent, kMaxTower)) {
    return acb_indeterminate(z);  // Towers whose exponents fill pages.
  }
  if (exact.state == ValueState::kRational) {
    const mpz_class& q = exact.value.get_den();
    Ball root;
    if (q == 1) {
      acb_set(root.get(), base);
    } else if (q <= 1000) {
      EvaluateRoot(base, q.get_ui(), &root);
    } else {
      return acb_pow(z, base, exponent, bits_);
    }
    fmpz_t n;
    fmpz_init(n);
    fmpz_set_mpz(n, exact.value.get_num_mpz_t());
    acb_pow_fmpz(z, root.get(), n, bits_);
    fmpz_clear(n);
    return;
  }
  if (Huge(exponent)) {
    if (!acb_is_real(base) || !acb_is_real(exponent)) {
      return acb_indeterminate(z);
    }
  }
  if (e_.OpOf(base_node) == Op::kE) {
    if (!acb_is_real(exponent) && Huge(exponent)) return acb_indeterminate(z);
    return acb_exp(z, exponent, bits_);
  }
  acb_pow(z, base, exponent, bits_);
}

// Functions of a real number with a break; false for the others.
void BallEvaluator::EvaluateReal(int node, Ball* out) {
  acb_ptr z = out->get();
  const auto kids = e_.Kids(node);
  const auto function = static_cast<Function>(e_.nodes[node].payload);
  for (const int kid : kids) {
    if (!acb_is_real(values_[kid].get()) || Huge(values_[kid].get())) {
      return acb_indeterminate(z);
    }
  }
  arb_srcptr x = acb_realref(values_[kids[0]].get());
  arb_ptr y = acb_realref(z);
  switch (function) {
    case Function::kFloor:
      return arb_floor(y, x, bits_);
    case Function::kCeil:
      return arb_ceil(y, x, bits_);
    case Function::kSign:
      return arb_sgn(y, x);
    case Function::kMod: {
      arb_srcptr m = acb_realref(values_[kids[1]].get());
      arb_div(y, x, m, bits_);
      arb_floor(y, y, bits_);
      arb_mul(y, y, m, bits_);
      return arb_sub(y, x, y, bits_);
    }
    case Function::kMin:
    case Function::kMax:
      arb_set(y, x);
      for (const int kid : kids.subspan(1)) {
        arb_srcptr next = acb_realref(values_[kid].get());
        if (function == Function::kMin) {
          arb_min(y, y, next, bits_);
        } else {
          arb_max(y, y, next, bits_);
        }
      }
      return;
    default:
      opaque_ = true;
      return EvaluateSymbol(modular_.At(node).at[0], out);
  }
}

bool BallEvaluator::EvaluateElementary(int node, acb_srcptr x, acb_ptr z) {
  const auto function = static_cast<Function>(e_.nodes[node].payload);
  for (const auto& [known, evaluate] : kElementary) {
    if (known != function) continue;
    evaluate(z, x, bits_);
    return true;
  }
  switch (function) {
    case Function::kArcsec:
      acb_inv(z, x, bits_);
      acb_acos(z, z, bits_);
      return true;
    case Function::kArccsc:
      acb_inv(z, x, bits_);
      acb_asin(z, z, bits_);
      return true;
    case Function::kRe:
      acb_get_real(acb_realref(z), x);
      return true;
    case Function::kIm:
      acb_get_imag(acb_realref(z), x);
      return true;
    case Function::kConjugate:
      acb_conj(z, x);
      return true;
    case Function::kAbs:
      acb_abs(acb_realref(z), x, bits_);
      return true;
    default:
      return false;
  }
}

void BallEvaluator::EvaluateFunction(int node, Ball* out) {
  acb_ptr z = out->get();
  const auto kids = e_.Kids(node);
  acb_srcptr x = values_[kids[0]].get();
  switch (static_cast<Function>(e_.nodes[node].payload)) {
    case Function::kLn:
    case Function::kLog:
      acb_log(z, x, bits_);
      if (kids.size() == 2) {
        Ball base;
        acb_log(base.get(), values_[kids[1]].get(), bits_);
        acb_div(z, z, base.get(), bits_);
      }
      return;
    case Function::kArccot: {  // Between 0 and pi, as in school.
      Ball half;
      acb_const_pi(half.get(), bits_);
      acb_mul_2exp_si(half.get(), half.get(), -1);
      acb_atan(z, x, bits_);
      return acb_sub(z, half.get(), z, bits_);
    }
    case Function::kBinomial: {
      acb_srcptr k = values_[kids[1]].get();
      if (Huge(x) || Huge(k)) return acb_indeterminate(z);
      Ball above, below;
      acb_add_ui(above.get(), x, 1, bits_);
      acb_gamma(z, above.get(), bits_);
      acb_sub(above.get(), above.get(), k, bits_);
      acb_rgamma(above.get(), above.get(), bits_);
      acb_mul(z, z, above.get(), bits_);
      acb_add_ui(below.get(), k, 1, bits_);
      acb_rgamma(below.get(), below.get(), bits_);
      return acb_mul(z, z, below.get(), bits_);
    }
    default:
      break;
  }
  if (Huge(x)) return acb_indeterminate(z);
  if (!EvaluateElementary(node, x, z)) EvaluateReal(node, out);
}

bool HasSymbols(const Expr& e, int root) {
  const std::vector<bool> reached = e.Reached(root);
  for (int i = 0; i <= root; ++i) {
    if (!reached[i]) continue;
    const Op op = e.OpOf(i);
    if (op == Op::kSymbol || op == Op::kCall || op == Op::kText ||
        op == Op::kIntegral || op == Op::kDerivative || op == Op::kQuantity) {
      return true;
    }
  }
  return false;
}

std::optional<double> RealValue(const Expr& e, ExactTable* exact,
                                ModularTable* modular, int root) {
  const ExactValue& value = exact->At(root);
  if (value.state == ValueState::kInfinite) {
    return value.value > 0 ? HUGE_VAL : -HUGE_VAL;
  }
  if (value.state == ValueState::kUndefined || HasSymbols(e, root)) {
    return std::nullopt;
  }
  BallEvaluator evaluator(e, exact, modular, {}, 128);
  const Ball ball = evaluator.Run(root);
  if (!acb_is_finite(ball.get()) || evaluator.opaque() ||
      !arb_contains_zero(acb_imagref(ball.get()))) {
    return std::nullopt;
  }
  if (arb_rel_accuracy_bits(acb_realref(ball.get())) < 50 &&
      !arb_is_zero(acb_realref(ball.get()))) {
    return std::nullopt;
  }
  return arf_get_d(arb_midref(acb_realref(ball.get())), ARF_RND_NEAR);
}

}  // namespace cohort
