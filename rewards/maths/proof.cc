#include "rewards/maths/proof.h"

#include <acb.h>
#include <flint/fmpq.h>
#include <flint/fmpz.h>

#include <vector>

// Calcium's headers are C: they take what malloc gives without a cast.
namespace cohort {
struct AnyPointer {
  void* pointer;
  template <typename T>
  operator T*() const {  // NOLINT(google-explicit-constructor)
    return static_cast<T*>(pointer);
  }
};
}  // namespace cohort
#define flint_malloc(bytes) (cohort::AnyPointer{(flint_malloc)(bytes)})
#define flint_calloc(n, bytes) (cohort::AnyPointer{(flint_calloc)(n, bytes)})
#define flint_realloc(p, bytes) (cohort::AnyPointer{(flint_realloc)(p, bytes)})
#include <calcium/ca.h>
#undef flint_malloc
#undef flint_calloc
#undef flint_realloc

#include "rewards/maths/ball.h"

namespace cohort {
namespace {

constexpr size_t kMaxProofNodes = 120;
constexpr size_t kMaxExtensions = 8;
constexpr unsigned long kMaxProofExponent = 64;
constexpr unsigned long kMaxProofRoot = 16;
constexpr size_t kMaxProofBits = 512;

class Context {
 public:
  Context() {
    ca_ctx_init(ctx_);
    ca_ctx_set_option(ctx_, CA_OPT_PREC_LIMIT, 1024);
    ca_ctx_set_option(ctx_, CA_OPT_QQBAR_DEG_LIMIT, 24);
    ca_ctx_set_option(ctx_, CA_OPT_LLL_PREC, 128);
    ca_ctx_set_option(ctx_, CA_OPT_GROEBNER_LENGTH_LIMIT, 40);
    ca_ctx_set_option(ctx_, CA_OPT_GROEBNER_POLY_LENGTH_LIMIT, 200);
    ca_ctx_set_option(ctx_, CA_OPT_GROEBNER_POLY_BITS_LIMIT, 2000);
    ca_ctx_set_option(ctx_, CA_OPT_POW_LIMIT, 20);
  }
  ~Context() { ca_ctx_clear(ctx_); }
  Context(const Context&) = delete;
  ca_ctx_struct* get() { return ctx_; }

 private:
  ca_ctx_t ctx_;
};

class Prover {
 public:
  Prover(const Expr& e, ExactTable* exact, int root)
      : e_(e), exact_(*exact), root_(root) {}
  ~Prover() {
    for (ca_struct& value : values_) ca_clear(&value, context_.get());
  }

  Proof Run() {
    const std::vector<bool> reached = e_.Reached(root_);
    if (!WithinLimits(reached)) return Proof::kUnknown;
    values_.resize(root_ + 1);
    for (ca_struct& value : values_) ca_init(&value, context_.get());
    for (int i = 0; i <= root_; ++i) {
      if (reached[i] && !Evaluate(i)) return Proof::kUnknown;
    }
    switch (ca_check_is_zero(&values_[root_], context_.get())) {
      case T_TRUE:
        return Proof::kZero;
      case T_FALSE:
        return Proof::kNotZero;
      default:
        return Proof::kUnknown;
    }
  }

 private:
  bool WithinLimits(const std::vector<bool>& reached) {
    size_t nodes = 0;
    size_t extensions = 0;
    for (int i = 0; i <= root_; ++i) {
      if (!reached[i]) continue;
      ++nodes;
      const Op op = e_.OpOf(i);
      const ExactValue& exact = exact_.At(i);
      if (exact.state == ValueState::kRational) {
        if (mpz_sizeinbase(exact.value.get_num_mpz_t(), 2) > kMaxProofBits ||
            mpz_sizeinbase(exact.value.get_den_mpz_t(), 2) > kMaxProofBits) {
          return false;
        }
      } else if (op == Op::kRoot || op == Op::kPower || op == Op::kFunction) {
        ++extensions;
      }
    }
    return nodes <= kMaxProofNodes && extensions <= kMaxExtensions;
  }

  ca_ptr At(int node) { return &values_[node]; }
  ca_ptr Kid(int node, int index) { return &values_[e_.Kid(node, index)]; }

  void SetRational(ca_ptr out, const mpq_class& q) {
    fmpq_t value;
    fmpq_init(value);
    fmpq_set_mpq(value, q.get_mpq_t());
    ca_set_fmpq(out, value, context_.get());
    fmpq_clear(value);
  }

  bool Evaluate(int node) {
    ca_ctx_struct* const ctx = context_.get();
    ca_ptr z = At(node);
    const ExactValue& exact = exact_.At(node);
    if (exact.state == ValueState::kRational) {
      SetRational(z, exact.value);
      return true;
    }
    switch (e_.OpOf(node)) {
      case Op::kPi:
        ca_pi(z, ctx);
        return true;
      case Op::kE:
        ca_one(z, ctx);
        ca_exp(z, z, ctx);
        return true;
      case Op::kI:
        ca_i(z, ctx);
        return true;
      case Op::kAdd:
        for (const int kid : e_.Kids(node)) ca_add(z, z, At(kid), ctx);
        return true;
      case Op::kMultiply:
        ca_one(z, ctx);
        for (const int kid : e_.Kids(node)) ca_mul(z, z, At(kid), ctx);
        return true;
      case Op::kNegate:
        ca_neg(z, Kid(node, 0), ctx);
        return true;
      case Op::kDivide:
        ca_div(z, Kid(node, 0), Kid(node, 1), ctx);
        return true;
      case Op::kPercent:
        ca_div_ui(z, Kid(node, 0), 100, ctx);
        return true;
      case Op::kDegrees:
        ca_pi(z, ctx);
        ca_mul(z, z, Kid(node, 0), ctx);
        ca_div_ui(z, z, 180, ctx);
        return true;
      case Op::kRoot: {
        const ExactValue& degree = exact_.At(e_.Kid(node, 1));
        return degree.state == ValueState::kRational &&
               Root(Kid(node, 0), degree.value, z);
      }
      case Op::kPower:
        return Power(node, z);
      case Op::kFunction:
        return OfFunction(node, z);
      default:
        return false;
    }
  }

  // The root that BallEvaluator takes: real for odd degrees of negatives.
  bool Root(ca_ptr base, const mpq_class& degree, ca_ptr z) {
    ca_ctx_struct* const ctx = context_.get();
    if (degree.get_den() != 1 || degree < 1 || degree > kMaxProofRoot) {
      return false;
    }
    const unsigned long k = degree.get_num().get_ui();
    if (k == 2) {
      ca_sqrt(z, base, ctx);
      return true;
    }
    ca_t positive;
    ca_init(positive, ctx);
    ca_set(positive, base, ctx);
    bool negative = false;
    bool decided = true;
    if (k % 2 == 1) {
      const truth_t real = ca_check_is_real(base, ctx);
      const truth_t minus =
          real == T_TRUE ? ca_check_is_negative_real(base, ctx) : T_FALSE;
      decided = real != T_UNKNOWN && minus != T_UNKNOWN;
      negative = minus == T_TRUE;
      if (negative) ca_neg(positive, positive, ctx);
    }
    if (decided) {
      ca_set_si(z, 1, ctx);
      ca_div_ui(z, z, k, ctx);
      ca_pow(z, positive, z, ctx);
      if (negative) ca_neg(z, z, ctx);
    }
    ca_clear(positive, ctx);
    return decided;
  }

  bool Power(int node, ca_ptr z) {
    ca_ctx_struct* const ctx = context_.get();
    const ExactValue& exponent = exact_.At(e_.Kid(node, 1));
    if (exponent.state != ValueState::kRational) {
      if (e_.OpOf(e_.Kid(node, 0)) == Op::kE) {
        ca_exp(z, Kid(node, 1), ctx);
      } else {
        ca_pow(z, Kid(node, 0), Kid(node, 1), ctx);
      }
      return true;
    }
    if (abs(exponent.value.get_num()) > kMaxProofExponent) return false;
    if (!Root(Kid(node, 0), exponent.value.get_den(), z)) return false;
    ca_pow_si(z, z, exponent.value.get_num().get_si(), ctx);
    return true;
  }

  // The least or the greatest argument.
  bool Extreme(int node, ca_ptr z) {
    ca_ctx_struct* const ctx = context_.get();
    const bool least =
        e_.nodes[node].payload == static_cast<int>(Function::kMin);
    ca_ptr best = Kid(node, 0);
    for (const int kid : e_.Kids(node)) {
      const truth_t less = ca_check_lt(At(kid), best, ctx);
      const truth_t more = ca_check_gt(At(kid), best, ctx);
      if (less == T_UNKNOWN || more == T_UNKNOWN) return false;
      if ((least ? less : more) == T_TRUE) best = At(kid);
    }
    ca_set(z, best, ctx);
    return true;
  }

  bool OfFunction(int node, ca_ptr z) {
    ca_ctx_struct* const ctx = context_.get();
    const ca_ptr x = Kid(node, 0);
    switch (static_cast<Function>(e_.nodes[node].payload)) {
      case Function::kSin:
        ca_sin_cos(z, nullptr, x, ctx);
        return true;
      case Function::kCos:
        ca_sin_cos(nullptr, z, x, ctx);
        return true;
      case Function::kTan:
        ca_tan(z, x, ctx);
        return true;
      case Function::kCot:
        ca_cot(z, x, ctx);
        return true;
      case Function::kSec:
        ca_sin_cos(nullptr, z, x, ctx);
        ca_inv(z, z, ctx);
        return true;
      case Function::kCsc:
        ca_sin_cos(z, nullptr, x, ctx);
        ca_inv(z, z, ctx);
        return true;
      case Function::kArcsin:
        ca_asin(z, x, ctx);
        return true;
      case Function::kArccos:
        ca_acos(z, x, ctx);
        return true;
      case Function::kArctan:
        ca_atan(z, x, ctx);
        return true;
      default:
        return OfOther(node, z);
    }
  }

  bool OfOther(int node, ca_ptr z) {
    ca_ctx_struct* const ctx = context_.get();
    const ca_ptr x = Kid(node, 0);
    switch (static_cast<Function>(e_.nodes[node].payload)) {
      case Function::kExp:
        ca_exp(z, x, ctx);
        return true;
      case Function::kLn:
      case Function::kLog:
        ca_log(z, x, ctx);
        if (e_.nodes[node].count == 2) {
          ca_t base;
          ca_init(base, ctx);
          ca_log(base, Kid(node, 1), ctx);
          ca_div(z, z, base, ctx);
          ca_clear(base, ctx);
        }
        return true;
      case Function::kMin:
      case Function::kMax:
        return Extreme(node, z);
      case Function::kMod:
        ca_div(z, x, Kid(node, 1), ctx);
        ca_floor(z, z, ctx);
        ca_mul(z, z, Kid(node, 1), ctx);
        ca_sub(z, x, z, ctx);
        return true;
      case Function::kAbs:
        ca_abs(z, x, ctx);
        return true;
      case Function::kRe:
        ca_re(z, x, ctx);
        return true;
      case Function::kIm:
        ca_im(z, x, ctx);
        return true;
      case Function::kConjugate:
        ca_conj(z, x, ctx);
        return true;
      case Function::kFloor:
        ca_floor(z, x, ctx);
        return true;
      case Function::kCeil:
        ca_ceil(z, x, ctx);
        return true;
      default:
        return OfInverse(node, z);
    }
  }

  // Functions by others that Calcium knows. Sources of the identities: NIST
  // DLMF 4.23.9 (arccot as BallEvaluator takes it), 4.23(i), 4.37(iv).
  bool OfInverse(int node, ca_ptr z) {
    ca_ctx_struct* const ctx = context_.get();
    const ca_ptr x = Kid(node, 0);
    const auto function = static_cast<Function>(e_.nodes[node].payload);
    switch (function) {
      case Function::kArcsec:
        ca_inv(z, x, ctx);
        ca_acos(z, z, ctx);
        return true;
      case Function::kArccsc:
        ca_inv(z, x, ctx);
        ca_asin(z, z, ctx);
        return true;
      case Function::kArccot: {
        ca_t half;
        ca_init(half, ctx);
        ca_pi(half, ctx);
        ca_div_ui(half, half, 2, ctx);
        ca_atan(z, x, ctx);
        ca_sub(z, half, z, ctx);
        ca_clear(half, ctx);
        return true;
      }
      case Function::kArsinh:
      case Function::kArcosh: {
        ca_mul(z, x, x, ctx);
        if (function == Function::kArsinh) {
          ca_add_ui(z, z, 1, ctx);
        } else {
          // For x >= 1; the other branch is left unknown.
          ca_t one;
          ca_init(one, ctx);
          ca_one(one, ctx);
          const bool right = ca_check_ge(x, one, ctx) == T_TRUE;
          ca_clear(one, ctx);
          if (!right) return false;
          ca_sub_ui(z, z, 1, ctx);
        }
        ca_sqrt(z, z, ctx);
        ca_add(z, z, x, ctx);
        ca_log(z, z, ctx);
        return true;
      }
      default:
        return false;
    }
  }

  const Expr& e_;
  ExactTable& exact_;
  const int root_;
  Context context_;
  std::vector<ca_struct> values_;
};

}  // namespace

Proof ProveZero(const Expr& e, ExactTable* exact, int root) {
  if (exact->At(root).state == ValueState::kRational) {
    return exact->At(root).value == 0 ? Proof::kZero : Proof::kNotZero;
  }
  FreeCachesAtThreadEnd();
  return Prover(e, exact, root).Run();
}

}  // namespace cohort
