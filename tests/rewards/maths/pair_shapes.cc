// Answers that are more than one number, and numbers with something around
// them.
#include <algorithm>
#include <numeric>

#include "tests/rewards/maths/pairs.h"

namespace cohort {

using absl::StrCat;

namespace {

std::string Joined(const std::vector<int>& values, std::string_view comma) {
  return absl::StrJoin(values, absl::string_view(comma.data(), comma.size()));
}

}  // namespace

MathPair MathPairMaker::Lists() {
  std::vector<int> values(static_cast<size_t>(Between(2, 6)));
  int next = Between(-20, 0);
  for (int& value : values) value = next += Between(1, 5);
  std::vector<int> other = values;
  std::shuffle(other.begin(), other.end(), random_);
  const bool equal = Coin();
  if (!equal) {
    if (Coin()) {
      other.pop_back();
    } else {
      other[0] = next + 1;
    }
  }
  static const std::vector<std::pair<std::string, std::string>> kBrackets = {
      {"\\{", "\\}"}, {"", ""}, {"\\left\\{", "\\right\\}"}};
  const auto& [open, close] = Pick(kBrackets);
  const std::string comma = Pick(std::vector<std::string>{",", ", ", ",\\ "});
  if (other.size() == 1) {
    return {StrCat("\\{", Joined(values, ","), "\\}"),
            StrCat("\\{", other[0], "\\}"), false};
  }
  return {StrCat("\\{", Joined(values, ","), "\\}"),
          StrCat(open, Joined(other, comma), close), equal};
}

MathPair MathPairMaker::Tuples() {
  std::vector<int> values(static_cast<size_t>(Between(2, 5)));
  int next = Between(-20, 0);
  for (int& value : values) value = next += Between(1, 5);
  std::vector<int> other = values;
  const bool equal = Coin();
  if (!equal) std::swap(other[0], other[1]);
  return {StrCat("(", Joined(values, ","), ")"),
          StrCat("\\left(", Joined(other, ", "), " \\right)"), equal};
}

MathPair MathPairMaker::Intervals() {
  const int low = Between(-20, 20);
  const int high = low + Between(1, 20);
  const bool left = Coin(), right = Coin(), equal = Coin();
  const bool shown = equal ? right : !right;
  const std::string gold =
      StrCat(left ? "[" : "(", low, ",", high, right ? "]" : ")");
  if (Coin()) {
    return {gold,
            StrCat(left ? "\\left[" : "\\left(", low, ", ", 2 * high,
                   "/2\\right", shown ? "]" : ")"),
            equal};
  }
  return {
      gold,
      StrCat(low, left ? " \\le " : "<", "x", shown ? "\\leq " : " < ", high),
      equal};
}

MathPair MathPairMaker::Unions() {
  const int a = Between(-20, 0);
  const int b = a + Between(1, 5);
  const int c = b + Between(1, 5);
  const bool equal = Coin();
  const std::string gold = StrCat("(-\\infty,", a, ")\\cup[", b, ",", c, ")");
  const int shown = equal ? c : c + 1;
  if (Coin()) {
    return {gold, StrCat("[", b, ",", shown, ") \\cup (-\\infty, ", a, ")"),
            equal};
  }
  return {gold, StrCat("x<", a, " \\text{ or } ", b, "\\le x<", shown), equal};
}

MathPair MathPairMaker::Inequalities() {
  const int a = Between(2, 9);
  const int end = Between(-20, 20);
  const int b = Between(-20, 20);
  const bool negative = Coin(), equal = Coin();
  const std::string sign = b < 0 ? "-" : "+";
  // a x + b < a end + b
  const std::string gold =
      negative ? StrCat("-", a, "x", sign, std::abs(b), ">", -a * end + b)
               : StrCat(a, "x", sign, std::abs(b), "<", a * end + b);
  return {gold, StrCat("x", equal ? "<" : "\\le ", end), equal};
}

MathPair MathPairMaker::Lines() {
  const int a = Between(1, 9), b = Between(1, 9), c = Between(1, 30);
  const int k = Pick(std::vector<int>{-3, -1, 2, 5});
  const bool equal = Coin();
  const auto line = [](int p, int q, int r) {
    return StrCat(p, "x", q < 0 ? "-" : "+", std::abs(q), "y=", r);
  };
  return {line(a, b, c), line(k * a, k * b, k * c + (equal ? 0 : 1)), equal};
}

MathPair MathPairMaker::Assignments() {
  const mpq_class q = Rational();
  const bool equal = Coin();
  const std::string name = Pick(
      std::vector<std::string>{"x", "k", "f(x)", "AB", "a_{37}", "\\theta"});
  return {StrCat(name, "=", Fraction(q)), Spelled(equal ? q : Other(q)), equal};
}

MathPair MathPairMaker::Matrices() {
  int m[4];
  for (int& entry : m) entry = Between(-9, 9);
  const bool equal = Coin();
  const std::string kind = Pick(std::vector<std::string>{"pmatrix", "bmatrix"});
  const auto matrix = [&](const std::string& name, int last) {
    return StrCat("\\begin{", name, "}", m[0], "&", m[1], "\\\\", m[2], " & ",
                  last, "\\end{", name, "}");
  };
  return {matrix("pmatrix", m[3]), matrix(kind, equal ? m[3] : m[3] + 1),
          equal};
}

MathPair MathPairMaker::Percentages() {
  const int n = Between(1, 200);
  const bool equal = Coin();
  const int shown = equal ? n : n + Between(1, 5);
  mpq_class share(shown, 100);
  share.canonicalize();
  const std::string gold = Pick(std::vector<std::string>{
      StrCat(n, "\\%"), StrCat(n, "%"), StrCat(n, "\\text{ percent}")});
  return {gold, Coin() ? StrCat(shown, " percent") : Spelled(share), equal};
}

MathPair MathPairMaker::Units() {
  const int n = Between(1, 5000);
  const bool equal = Coin();
  const int shown = equal ? n : n + 1;
  static const std::vector<std::pair<std::string, std::string>> kUnits = {
      {"\\text{ cm}", " cm"},
      {"\\text{ meters}", "\\text{ m}"},
      {"\\text{ square units}", ""},
      {"^\\circ", ""},
      {"^\\circ", "°"},
      {"\\,\\mathrm{km/h}", "\\text{ km/h}"},
      {"\\text{ hours}", " hours"},
      {"\\text{ inches}", ""},
      {"\\text{ apples}", " apples"},
      {"\\mbox{ kg}", "\\,\\text{kg}"},
      {"\\text{ cm}^2", "\\text{ cm}^{2}"}};
  const auto& [gold, other] = Pick(kUnits);
  return {StrCat(n, gold), StrCat(shown, other), equal};
}

MathPair MathPairMaker::PlusMinus() {
  const int a = Between(-9, 9), b = Between(1, 9);
  const bool equal = Coin();
  const int shown = equal ? b : b + 1;
  const std::string gold = StrCat(a, " \\pm ", b);
  if (Coin()) return {gold, StrCat(a - shown, ", ", a + b), equal};
  return {StrCat(a, "\\pm\\sqrt{", b + 10, "}"),
          StrCat(a, "-\\sqrt{", shown + 10, "}, ", a, "+\\sqrt{", b + 10, "}"),
          equal};
}

MathPair MathPairMaker::Ratios() {
  const int a = Between(1, 30), b = Between(1, 30);
  const bool equal = Coin();
  return {StrCat(a, ":", b), StrCat(a, " : ", equal ? b : b + 1), equal};
}

MathPair MathPairMaker::Bases() {
  const int base = Between(3, 9);
  std::string digits = StrCat(Between(1, base - 1));
  for (int i = Between(1, 4); i > 0; --i)
    digits += StrCat(Between(0, base - 1));
  const int fault = Between(0, 2);
  if (fault == 0) return {StrCat(digits, "_", base), digits, false};
  const bool equal = fault == 1;
  return {StrCat(digits, "_", base),
          StrCat(digits, "_{", equal ? base : base + 1, "}"), equal};
}

MathPair MathPairMaker::Counting() {
  const int a = Between(2, 200), b = Between(2, 200);
  const bool equal = Coin();
  const int off = equal ? 0 : 1;
  switch (Between(0, 5)) {
    case 0:
      return {StrCat("\\gcd(", a, ",", b, ")"), StrCat(std::gcd(a, b) + off),
              equal};
    case 1:
      return {StrCat("\\operatorname{lcm}(", a, ", ", b, ")"),
              StrCat(std::lcm(a, b) + off), equal};
    case 2:
      return {StrCat("\\left\\lfloor\\frac{", a, "}{", b, "}\\right\\rfloor"),
              StrCat(a / b + off), equal};
    case 3:
      return {StrCat(a, " \\bmod ", b), StrCat(a % b + off), equal};
    case 4:
      return {StrCat("\\max(", a, ",", b, ")"), StrCat(std::max(a, b) + off),
              equal};
    default: {
      const int n = Between(4, 20), k = Between(1, 4);
      mpz_class value;
      mpz_bin_uiui(value.get_mpz_t(), static_cast<unsigned>(n),
                   static_cast<unsigned>(k));
      value += off;
      return {StrCat("\\binom{", n, "}{", k, "}"), value.get_str(), equal};
    }
  }
}

MathPair MathPairMaker::SumsAndProducts() {
  const int n = Between(2, 12);
  const bool equal = Coin();
  const int off = equal ? 0 : 1;
  switch (Between(0, 2)) {
    case 0:
      return {StrCat("\\sum_{k=1}^{", n, "} k^2"),
              StrCat(n * (n + 1) * (2 * n + 1) / 6 + off), equal};
    case 1:
      return {StrCat("\\int_0^{", n, "} x^2\\,dx"),
              StrCat("\\frac{", n * n * n + off, "}{3}"), equal};
    default:
      return {StrCat("\\frac{d}{dx} x^{", n, "}"),
              StrCat(n + off, "x^{", n - 1, "}"), equal};
  }
}

MathPair MathPairMaker::Words() {
  static const std::vector<std::string> kWords = {
      "east",          "west",  "Monday",     "Evelyn",    "ellipse",
      "parallelogram", "true",  "hyperbola",  "isosceles", "even",
      "odd",           "Carla", "no solution"};
  const std::string& word = Pick(kWords);
  const std::string& other = Pick(kWords);
  return {StrCat("\\text{", word, "}"),
          Coin() ? other : StrCat("\\text{", other, "}"), word == other};
}

MathPair MathPairMaker::Options() {
  const char letter = static_cast<char>('A' + Between(0, 4));
  const char other = static_cast<char>('A' + Between(0, 4));
  const std::string gold(1, letter);
  const std::string shown(1, other);
  const std::string answer = Pick(std::vector<std::string>{
      shown, StrCat("(", shown, ")"), StrCat("\\text{", shown, "}"),
      StrCat("\\textbf{(", shown, ")}\\ 12"),
      StrCat("\\text{(", shown, ") } 7"), StrCat(shown, ". Paris"),
      StrCat("\\mathrm{", shown, "}")});
  return {gold, answer, letter == other};
}

MathPair MathPairMaker::Hedges() {
  const int n = Between(1, 99);
  const int m = n + Between(1, 9);
  const std::string answer = Pick(std::vector<std::string>{
      StrCat(n, " or ", m), StrCat(m, " \\text{ or } ", n), StrCat(n, ", ", m),
      StrCat("\\{", n, ",", m, "\\}"), StrCat("x=", n, " \\text{ or } x=", m),
      StrCat("\\text{not } ", n), StrCat("\\neq ", n), StrCat(">", n),
      StrCat(n, " = ", m), StrCat(n, "?"), StrCat("(", n, ",", m, ")"),
      StrCat(n, " \\pm ", m), StrCat(n, " ", m), StrCat(n, "i"),
      StrCat(n, "x")});
  return {StrCat(n), answer, false};
}

}  // namespace cohort
