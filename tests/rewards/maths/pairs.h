// Pairs of answers whose truth is known from how they are made: the values are
// computed here, by other means than the grader's, and then written down in
// different ways.
#pragma once

#include <gmpxx.h>

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cohort {

struct MathPair {
  std::string gold;
  std::string prediction;
  bool equal = true;
};

class MathPairMaker {
 public:
  explicit MathPairMaker(uint64_t seed) : random_(seed) {}

  using Family = MathPair (MathPairMaker::*)();
  struct Named {
    const char* name;
    Family make;
  };
  static const std::vector<Named>& Families();

  int Between(int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random_);
  }
  bool Coin() { return Between(0, 1) == 1; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[static_cast<size_t>(
        Between(0, static_cast<int>(from.size()) - 1))];
  }

  MathPair Fractions();     // p/q in all its spellings
  MathPair Decimals();      // with points, exponents, separators
  MathPair Repeating();     // 0.1\overline{6}
  MathPair MixedNumbers();  // 2\frac13
  MathPair Arithmetic();    // sums and products against their value
  MathPair BigNumbers();    // powers and factorials in their last digit
  MathPair Surds();         // (a + b sqrt c)(d + e sqrt c), multiplied out
  MathPair NestedSurds();   // sqrt(a + 2 sqrt b)
  MathPair Roots();         // \sqrt[n]{k^n m}
  MathPair Logarithms();    // \log_b b^k
  MathPair Angles();        // sin and cos of multiples of 15 degrees
  MathPair Complex();       // products of a + bi
  MathPair Polynomials();   // factors against coefficients
  MathPair Quotients();     // sums of fractions with symbols
  MathPair Exponentials();  // 2^{n+k} and 2^k 2^n
  MathPair Identities();    // of sine and cosine
  MathPair Lists();         // without an order
  MathPair Tuples();        // with one
  MathPair Intervals();     // brackets and ends
  MathPair Unions();        // in any order, or as inequalities
  MathPair Inequalities();  // a x + b < c
  MathPair Lines();         // equations up to a factor
  MathPair Assignments();   // x = 5 and 5
  MathPair Matrices();
  MathPair Percentages();
  MathPair Units();
  MathPair PlusMinus();
  MathPair Ratios();
  MathPair Bases();
  MathPair Counting();  // gcd, lcm, binomials, floors, remainders
  MathPair SumsAndProducts();
  MathPair Words();
  MathPair Options();
  MathPair Hedges();  // more options than one

 private:
  std::string Integer(const mpz_class& z) { return z.get_str(); }
  std::string Fraction(const mpq_class& q);
  std::string Spelled(const mpq_class& q);
  std::string Term(int coefficient, const std::string& rest, bool first);
  mpq_class Rational();
  mpq_class Other(const mpq_class& q);

  std::mt19937_64 random_;
};

}  // namespace cohort
