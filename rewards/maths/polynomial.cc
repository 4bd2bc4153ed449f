#include "rewards/maths/polynomial.h"

#include <utility>

namespace cohort {
namespace {

constexpr size_t kMaxBits = 2048;

using Maybe = std::optional<Polynomial>;

void Trim(Polynomial* p) {
  while (p->size() > 1 && p->back() == 0) p->pop_back();
}

bool TooLarge(const Polynomial& p) {
  for (const mpq_class& c : p) {
    if (mpz_sizeinbase(c.get_num_mpz_t(), 2) > kMaxBits ||
        mpz_sizeinbase(c.get_den_mpz_t(), 2) > kMaxBits) {
      return true;
    }
  }
  return p.size() > kMaxDegree + 1;
}

Maybe Checked(Polynomial p) {
  Trim(&p);
  if (TooLarge(p)) return std::nullopt;
  return p;
}

Maybe Sum(const Polynomial& a, const Polynomial& b) {
  Polynomial sum(std::max(a.size(), b.size()));
  for (size_t i = 0; i < a.size(); ++i) sum[i] += a[i];
  for (size_t i = 0; i < b.size(); ++i) sum[i] += b[i];
  return Checked(std::move(sum));
}

Maybe Product(const Polynomial& a, const Polynomial& b) {
  if (a.size() + b.size() > kMaxDegree + 2) return std::nullopt;
  Polynomial product(a.size() + b.size() - 1);
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < b.size(); ++j) product[i + j] += a[i] * b[j];
  }
  return Checked(std::move(product));
}

Maybe Quotient(Polynomial a, const Polynomial& b) {
  if (b.size() != 1 || b[0] == 0) return std::nullopt;
  for (mpq_class& c : a) c /= b[0];
  return Checked(std::move(a));
}

Maybe Power(const Polynomial& a, const Polynomial& b) {
  if (b.size() != 1 || b[0].get_den() != 1 || b[0] < 0 || b[0] > kMaxDegree) {
    return std::nullopt;
  }
  Maybe power = Polynomial{1};
  for (unsigned long i = b[0].get_num().get_ui(); i > 0 && power; --i) {
    power = Product(*power, a);
  }
  return power;
}

Maybe Fold(const Expr& e, int node, const std::vector<Maybe>& done,
           bool product) {
  Maybe all;
  for (const int kid : e.Kids(node)) {
    if (!done[kid]) return std::nullopt;
    if (!all) {
      all = done[kid];
    } else {
      all = product ? Product(*all, *done[kid]) : Sum(*all, *done[kid]);
    }
    if (!all) return std::nullopt;
  }
  return all;
}

Maybe Of(const Expr& e, int i, const std::vector<Maybe>& done,
         std::string_view variable) {
  switch (e.OpOf(i)) {
    case Op::kNumber:
      return Checked({e.Number(i)});
    case Op::kSymbol:
      if (e.Name(i) != variable) return std::nullopt;
      return Polynomial{0, 1};
    case Op::kAdd:
    case Op::kMultiply:
      return Fold(e, i, done, e.OpOf(i) == Op::kMultiply);
    case Op::kNegate:
      if (!done[e.Kid(i, 0)]) return std::nullopt;
      return Product(*done[e.Kid(i, 0)], {-1});
    case Op::kDivide:
    case Op::kPower: {
      const Maybe& a = done[e.Kid(i, 0)];
      const Maybe& b = done[e.Kid(i, 1)];
      if (!a || !b) return std::nullopt;
      return e.OpOf(i) == Op::kDivide ? Quotient(*a, *b) : Power(*a, *b);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Polynomial> PolynomialIn(const Expr& e, int root,
                                       std::string_view variable) {
  const std::vector<bool> reached = e.Reached(root);
  std::vector<Maybe> done(root + 1);
  for (int i = 0; i <= root; ++i) {
    if (!reached[i]) continue;
    done[i] = Of(e, i, done, variable);
    if (!done[i]) return std::nullopt;
  }
  return done[root];
}

}  // namespace cohort
