// A number as people write it -> its exact value.
#pragma once

#include <gmpxx.h>

#include <optional>
#include <string_view>

namespace cohort {

struct Number {
  mpq_class value;  // Of "25%": 25.
  bool percent = false;
};

// Longer texts are no numbers: exact arithmetic must stay cheap.
inline constexpr size_t kMaxNumberBytes = 4096;

// Reads integers (1,234; -07; +5), decimals (.5, 12.50), fractions (3/4,
// \frac{3}{4}, \dfrac34) and mixed numbers (2 1/2, 2\frac{1}{2}), each with $,
// \(..\), %, a currency sign, "x =" before it or a full stop behind it. Empty
// for everything else, and for a denominator of 0.
std::optional<Number> ParseNumber(std::string_view text);

// Whether both are the same number. Where just one of them is written with a
// percent sign, 25% equals 25 and 0.25.
bool SameNumber(const Number& a, const Number& b);

}  // namespace cohort
