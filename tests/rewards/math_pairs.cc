#include "tests/rewards/math_pairs.h"

#include <numeric>

namespace cohort {

using absl::StrCat;

mpq_class MathPairMaker::Rational() {
  mpq_class q(Between(-40, 40), Between(1, 24));
  q.canonicalize();
  return q;
}

// Another number that is near.
mpq_class MathPairMaker::Other(const mpq_class& q) {
  mpq_class other;
  do {
    other = q + mpq_class(Between(-3, 3), Between(1, 4));
    other.canonicalize();
    if (Coin()) other = -q;
  } while (other == q);
  return other;
}

std::string MathPairMaker::Fraction(const mpq_class& q) {
  if (q.get_den() == 1) return q.get_num().get_str();
  const std::string above = mpz_class(abs(q.get_num())).get_str();
  const std::string below = q.get_den().get_str();
  return StrCat(q < 0 ? "-" : "", "\\frac{", above, "}{", below, "}");
}

// One of the ways to write a rational number.
std::string MathPairMaker::Spelled(const mpq_class& q) {
  const std::string sign = q < 0 ? "-" : "";
  const std::string above = mpz_class(abs(q.get_num())).get_str();
  const std::string below = q.get_den().get_str();
  const std::string minus = q < 0 ? "\u2212" : "";
  switch (Between(0, 8)) {
    case 0:
      return Fraction(q);
    case 1:
      return StrCat(sign, "\\dfrac{", above, "}{", below, "}");
    case 2:
      return StrCat(sign, above, "/", below);
    case 3:
      return StrCat("\\frac{", sign, above, "}{", below, "}");
    case 4:
      return StrCat("\\frac{", above, "}{", sign, below, "}");
    case 5:
      return StrCat("\\left(", sign, "\\tfrac{ ", above, " }{ ", below, " }\\right)");
    case 6: {
      const int k = Between(2, 9);
      return StrCat(sign, "\\frac{", mpz_class(abs(q.get_num()) * k).get_str(),
                    "}{", mpz_class(q.get_den() * k).get_str(), "}");
    }
    case 7:
      return StrCat(minus, above, " / ", below);
    default:
      return StrCat("$", Fraction(q), "$");
  }
}

std::string MathPairMaker::Term(int coefficient, const std::string& rest,
                                bool first) {
  const std::string sign = coefficient < 0 ? "-" : first ? "" : "+";
  const int size = std::abs(coefficient);
  if (rest.empty()) return StrCat(sign, size);
  return StrCat(sign, size == 1 ? "" : StrCat(size), rest);
}

MathPair MathPairMaker::Fractions() {
  const mpq_class q = Rational();
  const bool equal = Coin();
  return {Spelled(q), Spelled(equal ? q : Other(q)), equal};
}

MathPair MathPairMaker::Decimals() {
  const int whole = Between(0, 99999);
  const int digits = Between(0, 999);
  const std::string padded = StrCat(1000 + digits).substr(1);
  const bool equal = Coin();
  const std::string gold = StrCat(whole, ".", padded);
  std::string grouped = StrCat(whole);
  if (grouped.size() > 3) grouped.insert(grouped.size() - 3, Coin() ? "," : "{,}");
  const std::string last = StrCat(1000 + (equal ? digits : (digits + 1) % 1000)).substr(1);
  switch (Between(0, 2)) {
    case 0:
      return {gold, StrCat(grouped, ".", last, "0"), equal};
    case 1:
      return {gold, StrCat(whole, last, " \\times 10^{-3}"), equal};
    default:
      return {gold, StrCat("\\frac{", whole, last, "}{1000}"), equal};
  }
}

MathPair MathPairMaker::Repeating() {
  const int block = Between(1, 98);
  const std::string two = StrCat(100 + block).substr(1);
  const int head = Between(0, 9);
  mpq_class q(block + 99 * head, 990);
  q.canonicalize();
  const bool equal = Coin();
  const std::string bar = Coin() ? "\\overline{" : "\\bar{";
  return {StrCat("0.", head, bar, two, "}"), Spelled(equal ? q : Other(q)),
          equal};
}

MathPair MathPairMaker::MixedNumbers() {
  const int below = Between(2, 12);
  const int above = Between(1, below - 1);
  const int whole = Between(1, 30);
  mpq_class q(whole * below + above, below);
  q.canonicalize();
  const bool negative = Coin();
  if (negative) q = -q;
  const std::string sign = negative ? "-" : "";
  const std::string gold =
      Coin() ? StrCat(sign, whole, "\\frac{", above, "}{", below, "}")
             : StrCat(sign, whole, " ", above, "/", below);
  const bool equal = Coin();
  return {gold, Spelled(equal ? q : Other(q)), equal};
}

MathPair MathPairMaker::Arithmetic() {
  mpq_class value = Between(1, 9);
  std::string text = value.get_str();
  for (int i = Between(1, 4); i > 0; --i) {
    const int n = Between(1, 12);
    switch (Between(0, 4)) {
      case 0:
        value += n;
        text = StrCat(text, " + ", n);
        break;
      case 1:
        value -= n;
        text = StrCat(text, "-", n);
        break;
      case 2:
        value *= n;
        text = StrCat("(", text, ") \\cdot ", n);
        break;
      case 3:
        value /= n;
        text = StrCat("\\frac{", text, "}{", n, "}");
        break;
      default:
        value *= value;
        text = StrCat("\\left(", text, "\\right)^2");
    }
    if (mpz_sizeinbase(value.get_num_mpz_t(), 2) > 200) break;
  }
  value.canonicalize();
  const bool equal = Coin();
  return {text, Fraction(equal ? value : Other(value)), equal};
}

MathPair MathPairMaker::BigNumbers() {
  mpz_class z;
  std::string text;
  if (Coin()) {
    const int base = Between(2, 40);
    const int exponent = Between(10, 120);
    mpz_ui_pow_ui(z.get_mpz_t(), static_cast<unsigned>(base), static_cast<unsigned>(exponent));
    text = StrCat(base, "^{", exponent, "}");
  } else {
    const int n = Between(15, 80);
    mpz_fac_ui(z.get_mpz_t(), static_cast<unsigned>(n));
    text = StrCat(n, "!");
  }
  const bool equal = Coin();
  if (!equal) z += Coin() ? 1 : -1;
  return {text, z.get_str(), equal};
}

MathPair MathPairMaker::Surds() {
  const int c = Pick(std::vector<int>{2, 3, 5, 6, 7, 10, 11});
  const int a = Between(-9, 9), b = Between(1, 9);
  const int d = Between(-9, 9), e = Between(1, 9);
  int rational = a * d + b * e * c;
  const int root = a * e + b * d;
  const bool equal = Coin();
  if (!equal) rational += Between(1, 3);
  const auto surd = [c](int x, int y) {
    return StrCat(x, y < 0 ? "-" : "+", std::abs(y), "\\sqrt{", c, "}");
  };
  return {StrCat("(", surd(a, b), ")(", surd(d, e), ")"), surd(rational, root),
          equal};
}

MathPair MathPairMaker::NestedSurds() {
  const int a = Between(2, 12);
  int b = Between(1, a - 1);
  const bool equal = Coin();
  // (sqrt a + sqrt b)^2 = a + b + 2 sqrt(ab)
  return {StrCat("\\sqrt{", a + b + (equal ? 0 : 1), "+2\\sqrt{", a * b, "}}"),
          StrCat("\\sqrt", a < 10 ? StrCat(a) : StrCat("{", a, "}"),
                 "+\\sqrt{", b, "}"),
          equal};
}

MathPair MathPairMaker::Roots() {
  const int n = Between(2, 5);
  const int k = Between(2, 4);
  const int m = Pick(std::vector<int>{2, 3, 5, 7});
  int inside = m;
  for (int i = 0; i < n; ++i) inside *= k;
  const bool equal = Coin();
  if (!equal) inside += 1;
  const std::string index = n == 2 ? "" : StrCat("[", n, "]");
  const std::string right =
      Coin() ? StrCat(k, "\\sqrt", index, "{", m, "}")
             : StrCat(k, " \\cdot ", m, "^{1/", n, "}");
  return {StrCat("\\sqrt", index, "{", inside, "}"), right, equal};
}

MathPair MathPairMaker::Logarithms() {
  const int base = Between(2, 9);
  const int k = Between(1, 5);
  int power = 1;
  for (int i = 0; i < k; ++i) power *= base;
  const bool equal = Coin();
  const int shown = equal ? k : k + 1;
  switch (Between(0, 2)) {
    case 0:
      return {StrCat("\\log_{", base, "} ", power), StrCat(shown), equal};
    case 1:
      return {StrCat("\\ln ", power), StrCat(shown, "\\ln ", base), equal};
    default:
      return {StrCat("e^{", shown, "\\ln ", base, "}"), StrCat(power), equal};
  }
}

MathPair MathPairMaker::Angles() {
  static const std::vector<std::pair<int, std::string>> kSines = {
      {0, "0"}, {15, "\\frac{\\sqrt6-\\sqrt2}{4}"}, {30, "\\frac12"},
      {45, "\\frac{\\sqrt2}{2}"}, {60, "\\frac{\\sqrt{3}}{2}"},
      {75, "\\frac{\\sqrt{6}+\\sqrt{2}}{4}"}, {90, "1"}};
  const auto& [degrees, sine] = Pick(kSines);
  const bool equal = Coin();
  const std::string value = equal ? sine : StrCat("-\\frac{1}{3}+", sine);
  switch (Between(0, 3)) {
    case 0:
      return {StrCat("\\sin ", degrees, "^\\circ"), value, equal};
    case 1:
      return {StrCat("\\cos(", 90 - degrees, "^{\\circ})"), value, equal};
    case 2:
      return {StrCat("\\sin\\frac{", degrees, "\\pi}{180}"), value, equal};
    default:
      return {StrCat("\\sin\\left(\\frac{", 180 - degrees, "}{180}\\pi\\right)"),
              value, equal};
  }
}

MathPair MathPairMaker::Complex() {
  const int a = Between(-9, 9), b = Between(1, 9);
  const int c = Between(-9, 9), d = Between(1, 9);
  const bool equal = Coin();
  const int re = a * c - b * d + (equal ? 0 : 1);
  const int im = a * d + b * c;
  return {StrCat("(", a, "+", b, "i)(", c, "+", d, "i)"),
          StrCat(re, im < 0 ? "-" : "+", std::abs(im), "i"), equal};
}

MathPair MathPairMaker::Polynomials() {
  const int a = Between(1, 6), b = Between(-9, 9);
  const int c = Between(1, 6), d = Between(-9, 9);
  const bool equal = Coin();
  const int middle = a * d + b * c + (equal ? 0 : Between(1, 2));
  const std::string x = Pick(std::vector<std::string>{"x", "t", "n", "\\theta"});
  const auto linear = [&](int p, int q) {
    return StrCat("(", Term(p, x, true), q == 0 ? "" : Term(q, "", false), ")");
  };
  std::string right = Term(a * c, StrCat(x, "^2"), true);
  if (middle != 0) right += Term(middle, x, false);
  if (b * d != 0) right += Term(b * d, "", false);
  return {StrCat(linear(a, b), linear(c, d)), right, equal};
}

MathPair MathPairMaker::Quotients() {
  const int a = Between(1, 9), b = Between(1, 9);
  const int c = Between(1, 9), d = Between(1, 9);
  const bool equal = Coin();
  const int ad = a * d + (equal ? 0 : 1);
  // a/(b x) + c/(d y)
  return {StrCat("\\frac{", a, "}{", b, "x}+\\frac{", c, "}{", d, "y}"),
          StrCat("\\frac{", ad, "y+", b * c, "x}{", b * d, "xy}"), equal};
}

MathPair MathPairMaker::Exponentials() {
  const int base = Between(2, 9);
  const int k = Between(1, 4);
  int power = 1;
  for (int i = 0; i < k; ++i) power *= base;
  const bool equal = Coin();
  return {StrCat(base, "^{n+", k, "}-", base),
          StrCat(equal ? power : power + 1, " \\cdot ", base, "^n-", base),
          equal};
}

MathPair MathPairMaker::Identities() {
  static const std::vector<std::pair<std::string, std::string>> kTrue = {
      {"\\sin 2x", "2\\sin x\\cos x"},
      {"\\cos 2x", "\\cos^2 x-\\sin^2 x"},
      {"\\sin^2 x+\\cos^2 x", "1"},
      {"1+\\tan^2 x", "\\sec^2 x"},
      {"\\cos 3x", "4\\cos^3 x-3\\cos x"},
      {"\\sin(x+y)", "\\sin x\\cos y+\\cos x\\sin y"},
      {"\\frac{\\sin x}{\\cos x}", "\\tan x"},
      {"e^{x+y}", "e^xe^y"},
      {"\\cosh^2 x-\\sinh^2 x", "1"}};
  const auto& [left, right] = Pick(kTrue);
  const int k = Between(2, 9);
  const bool equal = Coin();
  return {StrCat(k, "(", left, ")"),
          StrCat(k, "\\left(", right, "\\right)", equal ? "" : "+\\frac{1}{100}"),
          equal};
}

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
  return {gold,
          StrCat(low, left ? " \\le " : "<", "x", shown ? "\\leq " : " < ", high),
          equal};
}

MathPair MathPairMaker::Unions() {
  const int a = Between(-20, 0);
  const int b = a + Between(1, 5);
  const int c = b + Between(1, 5);
  const bool equal = Coin();
  const std::string gold =
      StrCat("(-\\infty,", a, ")\\cup[", b, ",", c, ")");
  const int shown = equal ? c : c + 1;
  if (Coin()) {
    return {gold, StrCat("[", b, ",", shown, ") \\cup (-\\infty, ", a, ")"),
            equal};
  }
  return {gold,
          StrCat("x<", a, " \\text{ or } ", b, "\\le x<", shown), equal};
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
  const std::string name =
      Pick(std::vector<std::string>{"x", "k", "f(x)", "AB", "a_{37}", "\\theta"});
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
  return {matrix("pmatrix", m[3]), matrix(kind, equal ? m[3] : m[3] + 1), equal};
}

MathPair MathPairMaker::Percentages() {
  const int n = Between(1, 200);
  const bool equal = Coin();
  const int shown = equal ? n : n + Between(1, 5);
  mpq_class share(shown, 100);
  share.canonicalize();
  const std::string gold =
      Pick(std::vector<std::string>{StrCat(n, "\\%"), StrCat(n, "%"),
                                    StrCat(n, "\\text{ percent}")});
  return {gold, Coin() ? StrCat(shown, " percent") : Spelled(share), equal};
}

MathPair MathPairMaker::Units() {
  const int n = Between(1, 5000);
  const bool equal = Coin();
  const int shown = equal ? n : n + 1;
  static const std::vector<std::pair<std::string, std::string>> kUnits = {
      {"\\text{ cm}", " cm"}, {"\\text{ meters}", "\\text{ m}"},
      {"\\text{ square units}", ""}, {"^\\circ", ""}, {"^\\circ", "°"},
      {"\\,\\mathrm{km/h}", "\\text{ km/h}"}, {"\\text{ hours}", " hours"},
      {"\\text{ inches}", ""}, {"\\text{ apples}", " apples"},
      {"\\mbox{ kg}", "\\,\\text{kg}"}, {"\\text{ cm}^2", "\\text{ cm}^{2}"}};
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
  for (int i = Between(1, 4); i > 0; --i) digits += StrCat(Between(0, base - 1));
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
      return {StrCat("\\gcd(", a, ",", b, ")"), StrCat(std::gcd(a, b) + off), equal};
    case 1:
      return {StrCat("\\operatorname{lcm}(", a, ", ", b, ")"),
              StrCat(std::lcm(a, b) + off), equal};
    case 2:
      return {StrCat("\\left\\lfloor\\frac{", a, "}{", b, "}\\right\\rfloor"),
              StrCat(a / b + off), equal};
    case 3:
      return {StrCat(a, " \\bmod ", b), StrCat(a % b + off), equal};
    case 4:
      return {StrCat("\\max(", a, ",", b, ")"), StrCat(std::max(a, b) + off), equal};
    default: {
      const int n = Between(4, 20), k = Between(1, 4);
      mpz_class value;
      mpz_bin_uiui(value.get_mpz_t(), static_cast<unsigned>(n), static_cast<unsigned>(k));
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
      "east", "west", "Monday", "Evelyn", "ellipse", "parallelogram", "true",
      "hyperbola", "isosceles", "even", "odd", "Carla", "no solution"};
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
      StrCat("\\textbf{(", shown, ")}\\ 12"), StrCat("\\text{(", shown, ") } 7"),
      StrCat(shown, ". Paris"), StrCat("\\mathrm{", shown, "}")});
  return {gold, answer, letter == other};
}

const std::vector<MathPairMaker::Named>& MathPairMaker::Families() {
  using M = MathPairMaker;
  static const auto* const families = new std::vector<Named>{
      {"fractions", &M::Fractions},       {"decimals", &M::Decimals},
      {"repeating", &M::Repeating},       {"mixed", &M::MixedNumbers},
      {"arithmetic", &M::Arithmetic},     {"big", &M::BigNumbers},
      {"surds", &M::Surds},               {"nested surds", &M::NestedSurds},
      {"roots", &M::Roots},               {"logarithms", &M::Logarithms},
      {"angles", &M::Angles},             {"complex", &M::Complex},
      {"polynomials", &M::Polynomials},   {"quotients", &M::Quotients},
      {"exponentials", &M::Exponentials}, {"identities", &M::Identities},
      {"lists", &M::Lists},               {"tuples", &M::Tuples},
      {"intervals", &M::Intervals},       {"unions", &M::Unions},
      {"inequalities", &M::Inequalities}, {"lines", &M::Lines},
      {"assignments", &M::Assignments},   {"matrices", &M::Matrices},
      {"percentages", &M::Percentages},   {"units", &M::Units},
      {"plus-minus", &M::PlusMinus},      {"ratios", &M::Ratios},
      {"bases", &M::Bases},               {"counting", &M::Counting},
      {"sums", &M::SumsAndProducts},      {"words", &M::Words},
      {"options", &M::Options}};
  return *families;
}

}  // namespace cohort
