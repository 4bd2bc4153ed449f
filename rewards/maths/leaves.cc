#include "rewards/maths/leaves.h"

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "rewards/maths/relations.h"
#include "rewards/maths/units.h"

namespace cohort {
namespace {

bool IsWords(const Expr& e, int node) { return e.OpOf(node) == Op::kText; }

// -(5 cm) as (-5) cm, so that what stands outside is the unit.
int UnitOutside(Expr* e, int node) {
  if (e->OpOf(node) != Op::kNegate) return node;
  const int inner = e->Kid(node, 0);
  const Node n = e->nodes[inner];
  if (n.op != Op::kQuantity && n.op != Op::kPercent && n.op != Op::kDegrees) {
    return node;
  }
  const int negated = e->Add(Op::kNegate, {e->Kid(inner, 0)});
  return e->Add(n.op, {negated}, n.payload, n.flags);
}

Comparison SameWords(const Expr& e, int a, int b) {
  const auto words = [&e](int node) -> std::string {
    if (e.OpOf(node) == Op::kText) return e.Name(node);
    if (e.OpOf(node) == Op::kSymbol && e.Name(node).size() > 1) {
      return absl::AsciiStrToLower(e.Name(node));
    }
    return "";
  };
  const std::string x = words(a);
  return !x.empty() && x == words(b) ? kIsEqual : kIsDifferent;
}

bool HasPart(const std::string& whole, const std::string& part) {
  const std::set<std::string> words =
      absl::StrSplit(whole, ' ', absl::SkipEmpty());
  for (const absl::string_view word : absl::StrSplit(part, ' ')) {
    if (words.count(std::string(word)) == 0) return false;
  }
  return true;
}

bool Decimal(const Expr& e, int node) {
  if (e.OpOf(node) == Op::kNegate) node = e.Kid(node, 0);
  return e.OpOf(node) == Op::kNumber && (e.nodes[node].flags & kDecimal) != 0;
}

int DecimalDigits(const Expr& e, int node) {
  if (e.OpOf(node) == Op::kNegate) node = e.Kid(node, 0);
  return e.decimals[e.nodes[node].payload];
}

class Leaves {
 public:
  explicit Leaves(Workspace* w) : w_(*w), e_(w->e) {}

  Comparison Same(int a, int b) {
    a = UnitOutside(&e_, a);
    b = UnitOutside(&e_, b);
    if (IsWords(e_, a) || IsWords(e_, b)) return SameWords(e_, a, b);
    const Op x = e_.OpOf(a);
    const Op y = e_.OpOf(b);
    if (x == Op::kQuantity || y == Op::kQuantity) return Quantities(a, b);
    if (x == Op::kPercent || y == Op::kPercent) return Percents(a, b);
    if (x == Op::kDegrees || y == Op::kDegrees) return Degrees(a, b);
    if (x == Op::kRatio || y == Op::kRatio) return Ratios(a, b);
    if (x == Op::kBased || y == Op::kBased) return Bases(a, b);
    return Scalars(a, b);
  }

 private:
  Comparison Scalars(int a, int b) {
    if (w_.policy.reduced_fractions && NotReduced(b)) {
      return {Equality::kDifferent, "a fraction that is not reduced"};
    }
    const Comparison same = w_.Same(a, b);
    if (same.equality == Equality::kEqual) return same;
    const bool decimal = Decimal(e_, a) || Decimal(e_, b);
    if (w_.policy.rounding_digits >= 0 && decimal) {
      return Rounded(a, b, w_.policy.rounding_digits, same);
    }
    if (w_.policy.rounded_decimals && decimal) {
      const int node = Decimal(e_, b) ? b : a;
      const int digits = DecimalDigits(e_, node);
      if (digits >= kMinRoundedDigits) return Rounded(a, b, digits, same);
    }
    return same;
  }

  // Fewer decimals than this are a rounded value, not the value.
  static constexpr int kMinRoundedDigits = 6;

  // Whether both are the same within half a unit of the last of `digits`.
  Comparison Rounded(int a, int b, int digits, Comparison otherwise) {
    const int minus = e_.Add(Op::kNegate, {b});
    const int difference = e_.Add(Op::kAdd, {a, minus});
    mpz_class scale;
    mpz_ui_pow_ui(scale.get_mpz_t(), 10, static_cast<unsigned long>(digits));
    const ExactValue& exact = w_.exact.At(difference);
    if (exact.state == ValueState::kRational) {
      return 2 * abs(exact.value) * scale <= 1 ? kIsEqual : otherwise;
    }
    const auto value = RealValue(e_, &w_.exact, &w_.modular, difference);
    if (!value.has_value()) return otherwise;
    return 2 * std::abs(*value) * scale.get_d() <= 1 ? kIsEqual : otherwise;
  }

  bool NotReduced(int node) {
    if (e_.OpOf(node) != Op::kDivide) return false;
    const ExactValue& above = w_.exact.At(e_.Kid(node, 0));
    const ExactValue& below = w_.exact.At(e_.Kid(node, 1));
    if (above.state != ValueState::kRational ||
        below.state != ValueState::kRational) {
      return false;
    }
    return gcd(above.value.get_num(), below.value.get_num()) != 1;
  }

  Comparison Quantities(int a, int b) {
    const bool left = e_.OpOf(a) == Op::kQuantity;
    const bool right = e_.OpOf(b) == Op::kQuantity;
    if (left && right) return BothWithUnits(a, b);
    const int quantity = left ? a : b;
    const int other = left ? b : a;
    const int value = e_.Kid(quantity, 0);
    const std::string unit = e_.Name(quantity);
    // "10 m" may be ten times m.
    if ((e_.nodes[quantity].flags & kGuessed) != 0 &&
        !SymbolsIn(e_, other).empty()) {
      std::string letter = unit;
      for (const std::string& symbol : SymbolsIn(e_, other)) {
        if (absl::AsciiStrToLower(symbol) == unit) letter = symbol;
      }
      const int symbol = e_.AddNamed(Op::kSymbol, letter);
      const int product = e_.Add(Op::kMultiply, {value, symbol});
      return left ? Same(product, b) : Same(a, product);
    }
    if (!w_.policy.drop_units) return {Equality::kDifferent, "a unit"};
    if (e_.OpOf(other) == Op::kPercent) {
      return {Equality::kDifferent, "a unit for a percentage"};
    }
    const int plain = e_.OpOf(other) == Op::kDegrees ? e_.Kid(other, 0) : other;
    return left ? Same(value, plain) : Same(plain, value);
  }

  Comparison BothWithUnits(int a, int b) {
    const std::string x = e_.Name(a);
    const std::string y = e_.Name(b);
    const int u = e_.Kid(a, 0);
    const int v = e_.Kid(b, 0);
    if (x == y || HasPart(x, y) || HasPart(y, x)) return Same(u, v);
    std::string kinds;
    std::string other_kinds;
    mpq_class size;
    mpq_class other_size;
    if (!MeasureUnit(x, &kinds, &size) ||
        !MeasureUnit(y, &other_kinds, &other_size) || kinds != other_kinds) {
      return {Equality::kDifferent, "another unit"};
    }
    if (size == other_size) return Same(u, v);
    if (!w_.policy.convert_units) {
      return {Equality::kDifferent, "another unit"};
    }
    const int left = e_.Add(Op::kMultiply, {u, e_.AddNumber(size)});
    const int right = e_.Add(Op::kMultiply, {v, e_.AddNumber(other_size)});
    return Same(left, right);
  }

  Comparison Percents(int a, int b) {
    const bool left = e_.OpOf(a) == Op::kPercent;
    const bool right = e_.OpOf(b) == Op::kPercent;
    if (left && right) return Same(e_.Kid(a, 0), e_.Kid(b, 0));
    const Comparison share = Scalars(a, b);
    if (share.equality == Equality::kEqual || !w_.policy.percent_drop) {
      return share;
    }
    return left ? Same(e_.Kid(a, 0), b) : Same(a, e_.Kid(b, 0));
  }

  Comparison Degrees(int a, int b) {
    const bool left = e_.OpOf(a) == Op::kDegrees;
    const bool right = e_.OpOf(b) == Op::kDegrees;
    const int x = left ? e_.Kid(a, 0) : a;
    const int y = right ? e_.Kid(b, 0) : b;
    if (left && right) return Same(x, y);
    if (w_.policy.degrees_are_radians) {
      const Comparison same = Scalars(a, b);
      if (same.equality == Equality::kEqual) return same;
    }
    return Same(x, y);
  }

  Comparison Ratios(int a, int b) {
    const bool both = e_.OpOf(a) == Op::kRatio && e_.OpOf(b) == Op::kRatio;
    if (!both) {
      const int ratio = e_.OpOf(a) == Op::kRatio ? a : b;
      if (!w_.policy.ratio_is_fraction || e_.nodes[ratio].count != 2) {
        return {Equality::kDifferent, "a ratio"};
      }
      const int quotient =
          e_.Add(Op::kDivide, {e_.Kid(ratio, 0), e_.Kid(ratio, 1)});
      return ratio == a ? Same(quotient, b) : Same(a, quotient);
    }
    if (e_.nodes[a].count != e_.nodes[b].count) return kIsDifferent;
    const std::vector<int32_t> x(e_.Kids(a).begin(), e_.Kids(a).end());
    const std::vector<int32_t> y(e_.Kids(b).begin(), e_.Kids(b).end());
    for (size_t i = 0; i < x.size(); ++i) {
      Comparison same;
      if (w_.policy.scale_ratios) {
        same = Same(e_.Add(Op::kMultiply, {x[i], y[0]}),
                    e_.Add(Op::kMultiply, {y[i], x[0]}));
      } else {
        same = Same(x[i], y[i]);
      }
      if (same.equality != Equality::kEqual) return same;
    }
    return kIsEqual;
  }

  // The value of digits in a base; -1 where a digit is none.
  int ValueOfBased(int node) {
    const ExactValue& base = w_.exact.At(e_.Kid(node, 0));
    if (base.state != ValueState::kRational || base.value.get_den() != 1 ||
        base.value < 2 || base.value > 36) {
      return -1;
    }
    mpz_class value;
    const std::string digits = absl::AsciiStrToLower(e_.Name(node));
    const int radix = static_cast<int>(base.value.get_num().get_si());
    if (value.set_str(digits, radix) != 0) return -1;
    return e_.AddNumber(mpq_class(value));
  }

  Comparison Bases(int a, int b) {
    const bool left = e_.OpOf(a) == Op::kBased;
    const bool right = e_.OpOf(b) == Op::kBased;
    if (left && right) {
      const Comparison base = w_.Same(e_.Kid(a, 0), e_.Kid(b, 0));
      if (base.equality != Equality::kEqual) return base;
      return e_.Name(a) == e_.Name(b) ? kIsEqual : kIsDifferent;
    }
    const int based = left ? a : b;
    const bool decimal = w_.exact.IsRational(e_.Kid(based, 0)) &&
                         w_.exact.At(e_.Kid(based, 0)).value == 10;
    int value = -1;
    if (w_.policy.base_value || decimal) value = ValueOfBased(based);
    if (w_.policy.drop_base) {
      mpz_class digits;
      if (digits.set_str(e_.Name(based), 10) == 0) {
        value = e_.AddNumber(mpq_class(digits));
      }
    }
    if (value < 0) return {Equality::kDifferent, "a number in another base"};
    return left ? Same(value, b) : Same(a, value);
  }

  Workspace& w_;
  Expr& e_;
};

}  // namespace

Comparison SameLeaves(Workspace* w, int gold, int prediction) {
  return Leaves(w).Same(gold, prediction);
}

}  // namespace cohort
