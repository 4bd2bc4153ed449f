#include "tests/rewards/maths/pairs.h"

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
      return StrCat("\\left(", sign, "\\tfrac{ ", above, " }{ ", below,
                    " }\\right)");
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
  if (grouped.size() > 3)
    grouped.insert(grouped.size() - 3, Coin() ? "," : "{,}");
  const std::string last =
      StrCat(1000 + (equal ? digits : (digits + 1) % 1000)).substr(1);
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
    mpz_ui_pow_ui(z.get_mpz_t(), static_cast<unsigned>(base),
                  static_cast<unsigned>(exponent));
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
          StrCat("\\sqrt", a < 10 ? StrCat(a) : StrCat("{", a, "}"), "+\\sqrt{",
                 b, "}"),
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
  const std::string right = Coin() ? StrCat(k, "\\sqrt", index, "{", m, "}")
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
      {0, "0"},
      {15, "\\frac{\\sqrt6-\\sqrt2}{4}"},
      {30, "\\frac12"},
      {45, "\\frac{\\sqrt2}{2}"},
      {60, "\\frac{\\sqrt{3}}{2}"},
      {75, "\\frac{\\sqrt{6}+\\sqrt{2}}{4}"},
      {90, "1"}};
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
      return {
          StrCat("\\sin\\left(\\frac{", 180 - degrees, "}{180}\\pi\\right)"),
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
  const std::string x =
      Pick(std::vector<std::string>{"x", "t", "n", "\\theta"});
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
  return {
      StrCat(k, "(", left, ")"),
      StrCat(k, "\\left(", right, "\\right)", equal ? "" : "+\\frac{1}{100}"),
      equal};
}

const std::vector<MathPairMaker::Named>& MathPairMaker::Families() {
  using M = MathPairMaker;
  static const auto* const families =
      new std::vector<Named>{{"fractions", &M::Fractions},
                             {"decimals", &M::Decimals},
                             {"repeating", &M::Repeating},
                             {"mixed", &M::MixedNumbers},
                             {"arithmetic", &M::Arithmetic},
                             {"big", &M::BigNumbers},
                             {"surds", &M::Surds},
                             {"nested surds", &M::NestedSurds},
                             {"roots", &M::Roots},
                             {"logarithms", &M::Logarithms},
                             {"angles", &M::Angles},
                             {"complex", &M::Complex},
                             {"polynomials", &M::Polynomials},
                             {"quotients", &M::Quotients},
                             {"exponentials", &M::Exponentials},
                             {"identities", &M::Identities},
                             {"lists", &M::Lists},
                             {"tuples", &M::Tuples},
                             {"intervals", &M::Intervals},
                             {"unions", &M::Unions},
                             {"inequalities", &M::Inequalities},
                             {"lines", &M::Lines},
                             {"assignments", &M::Assignments},
                             {"matrices", &M::Matrices},
                             {"percentages", &M::Percentages},
                             {"units", &M::Units},
                             {"plus-minus", &M::PlusMinus},
                             {"ratios", &M::Ratios},
                             {"bases", &M::Bases},
                             {"counting", &M::Counting},
                             {"sums", &M::SumsAndProducts},
                             {"words", &M::Words},
                             {"options", &M::Options},
                             {"hedges", &M::Hedges}};
  return *families;
}

}  // namespace cohort
