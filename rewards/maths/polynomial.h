// Polynomials in one variable with exact rational coefficients.
#pragma once

#include <gmpxx.h>

#include <optional>
#include <string_view>
#include <vector>

#include "rewards/maths/expr.h"

namespace cohort {

// Coefficients from the constant term up; never empty.
using Polynomial = std::vector<mpq_class>;

inline constexpr size_t kMaxDegree = 32;

// The tree at `root` as a polynomial in the symbol `variable`; nothing where it
// is none, or of a degree beyond kMaxDegree.
std::optional<Polynomial> PolynomialIn(const Expr& e, int root,
                                       std::string_view variable);

}  // namespace cohort
