// Derivatives and integrals of what is written as one.
#include <optional>

#include "rewards/maths/build.h"
#include "rewards/maths/polynomial.h"

namespace cohort {
namespace {

constexpr size_t kMaxDerivativeNodes = 200;

// Derivatives of the nodes of one tree, children first.
class Differentiator {
 public:
  Differentiator(Expr* e, std::string_view variable)
      : e_(*e), variable_(variable) {}

  int Run(int body) {
    const std::vector<bool> reached = e_.Reached(body);
    std::vector<int32_t> d(body + 1, -1);
    zero_ = e_.AddNumber(0);
    one_ = e_.AddNumber(1);
    for (int i = 0; i <= body; ++i) {
      if (!reached[i]) continue;
      d[i] = Derive(i, d);
      if (d[i] < 0 || e_.nodes.size() > kMaxNodes / 2) return -1;
    }
    return d[body];
  }

 private:
  int Times(int a, int b) { return e_.Add(Op::kMultiply, {a, b}); }
  int Power(int a, int b) { return e_.Add(Op::kPower, {a, b}); }
  int Negated(int a) { return e_.Add(Op::kNegate, {a}); }
  int Of(Function f, int a) { return e_.AddFunction(f, {&a, 1}); }

  int Derive(int i, const std::vector<int32_t>& d) {
    const std::vector<int32_t> kids(e_.Kids(i).begin(), e_.Kids(i).end());
    switch (e_.OpOf(i)) {
      case Op::kNumber:
      case Op::kPi:
      case Op::kE:
      case Op::kI:
        return zero_;
      case Op::kSymbol:
        return e_.Name(i) == variable_ ? one_ : zero_;
      case Op::kAdd: {
        std::vector<int32_t> terms;
        for (const int kid : kids) terms.push_back(d[kid]);
        return e_.Add(Op::kAdd, terms);
      }
      case Op::kNegate:
        return Negated(d[kids[0]]);
      case Op::kMultiply: {
        if (kids.size() != 2) return -1;
        const int left = Times(d[kids[0]], kids[1]);
        return e_.Add(Op::kAdd, {left, Times(kids[0], d[kids[1]])});
      }
      case Op::kDivide: {
        const int left = Times(d[kids[0]], kids[1]);
        const int right = Negated(Times(kids[0], d[kids[1]]));
        const int above = e_.Add(Op::kAdd, {left, right});
        return e_.Add(Op::kDivide, {above, Times(kids[1], kids[1])});
      }
      case Op::kRoot:
        return OfPower(kids[0], e_.Add(Op::kDivide, {one_, kids[1]}),
                       d[kids[0]], zero_);
      case Op::kPower:
        return OfPower(kids[0], kids[1], d[kids[0]], d[kids[1]]);
      case Op::kFunction:
        return kids.size() == 1 ? OfFunction(i, kids[0], d[kids[0]]) : -1;
      default:
        return -1;
    }
  }

  bool IsZero(int node) const { return node == zero_; }

  // u^v: v u^(v-1) u' + u^v ln(u) v'
  int OfPower(int u, int v, int du, int dv) {
    const int less = e_.Add(Op::kAdd, {v, e_.AddNumber(-1)});
    const int first = Times(Times(v, Power(u, less)), du);
    if (IsZero(dv)) return first;
    const int second = Times(Times(Power(u, v), Of(Function::kLn, u)), dv);
    return IsZero(du) ? second : e_.Add(Op::kAdd, {first, second});
  }

  int OfFunction(int i, int u, int du) {
    switch (static_cast<Function>(e_.nodes[i].payload)) {
      case Function::kSin:
        return Times(Of(Function::kCos, u), du);
      case Function::kCos:
        return Negated(Times(Of(Function::kSin, u), du));
      case Function::kTan:
        return Times(Power(Of(Function::kSec, u), e_.AddNumber(2)), du);
      case Function::kExp:
        return Times(i, du);
      case Function::kLn:
      case Function::kLog:
        return e_.Add(Op::kDivide, {du, u});
      default:
        return -1;
    }
  }

  Expr& e_;
  const std::string variable_;
  int zero_ = -1;
  int one_ = -1;
};

}  // namespace

int BuildDerivative(Expr* e, int body, std::string_view variable) {
  if (e->TreeSize(body) <= kMaxDerivativeNodes) {
    const int derivative = Differentiator(e, variable).Run(body);
    if (derivative >= 0) return derivative;
  }
  const int symbol = e->AddNamed(Op::kSymbol, variable);
  return e->Add(Op::kDerivative, {body, symbol});
}

int BuildIntegral(Expr* e, int body, int variable, int low, int high) {
  const std::optional<Polynomial> polynomial =
      low < 0 || high < 0 ? std::nullopt
                          : PolynomialIn(*e, body, e->Name(variable));
  if (!polynomial.has_value()) {
    std::vector<int32_t> kids = {body, variable};
    if (low >= 0) kids.push_back(low);
    if (high >= 0) kids.push_back(high);
    return e->Add(Op::kIntegral, kids);
  }
  // The antiderivative at both ends, term by term.
  std::vector<int32_t> terms;
  for (size_t k = 0; k < polynomial->size(); ++k) {
    const mpq_class factor =
        (*polynomial)[k] / static_cast<unsigned long>(k + 1);
    const int exponent = e->AddNumber(static_cast<unsigned long>(k + 1));
    const int c = e->AddNumber(factor);
    const int above = e->Add(Op::kPower, {high, exponent});
    const int below = e->Add(Op::kPower, {low, exponent});
    const int minus = e->Add(Op::kNegate, {below});
    const int difference = e->Add(Op::kAdd, {above, minus});
    terms.push_back(e->Add(Op::kMultiply, {c, difference}));
  }
  return e->Add(Op::kAdd, terms);
}

}  // namespace cohort
