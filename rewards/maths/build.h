// Nodes as the parser makes them: what can be said at once is said here, such
// as matrix products, sums over known ranges and powers of functions.
#pragma once

#include <string_view>
#include <vector>

#include "rewards/maths/expr.h"

namespace cohort {

inline constexpr size_t kMaxNodes = 20000;

// a op b for kAdd, kMultiply, kDivide and kNegate (b = -1), by entries where
// either is a matrix. -1 where the shapes do not fit.
int BuildArithmetic(Expr* e, Op op, int a, int b);

// a ^ b, written out for small powers of matrices.
int BuildPower(Expr* e, int a, int b);

// a : b, where `a` may be a ratio already.
int BuildRatio(Expr* e, int a, int b);

// The x of \frac{d}{dx} or \frac{d^n}{dx^n} at `node`, and n; -1 for anything
// else.
int DerivativeOperator(const Expr& e, int node, int* order);

// `function` of `argument` (a tuple holds several), with what stands as index
// and exponent of its name (-1: nothing): \log_2, \sin^2, \sin^{-1}. -1 where
// it takes another number of arguments.
int BuildFunction(Expr* e, Function function, int argument, int index,
                  int exponent);

// The sum or product (`product`) of `body` for `range`, "k = a" with whole a,
// up to `last`. Written out where both ends are small numbers; else a call
// about which nothing is known.
int BuildSum(Expr* e, bool product, int range, int last, int body);

// The determinant of a square matrix of up to 3 rows; else -1.
int BuildDeterminant(Expr* e, int matrix);

// |inner|: of a tuple or a vector its length, of a matrix its determinant (-1
// where that is not known), else the absolute value.
int BuildAbsolute(Expr* e, int inner);

// The derivative of `body` by the symbol `variable`; kDerivative where no rule
// is known.
int BuildDerivative(Expr* e, int body, std::string_view variable);

// The integral of a polynomial in `variable` from `low` to `high`; kIntegral
// where the body is none or there are no bounds (-1).
int BuildIntegral(Expr* e, int body, int variable, int low, int high);

// A set of one element, where a scalar is meant: {1+2} as parentheses.
int WithoutBraces(const Expr& e, int node);

}  // namespace cohort
