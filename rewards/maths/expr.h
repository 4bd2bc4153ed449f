// Expressions as an arena: every node stands behind its children, so that every
// pass over an expression is one loop and nothing recurses on input depth.
#pragma once

#include <gmpxx.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace cohort {

enum class Op : uint8_t {
  // Leaves.
  kNumber,    // payload: numbers[]
  kSymbol,    // payload: names[]
  kPi,        // 3.14...
  kE,         // 2.71...
  kI,         // The imaginary unit.
  kInfinity,  // Of the reals; allowed alone, negated, as an end of an interval.
  kText,      // payload: names[], lower case, single spaces
  kReals,     // The whole line, as a set.
  kEmptySet,
  // Scalars.
  kAdd,         // n-ary
  kMultiply,    // n-ary
  kNegate,      // a
  kDivide,      // a / b
  kPower,       // a ^ b
  kRoot,        // b-th root of a; the real one of a negative a for odd b
  kFunction,    // payload: Function; one or two arguments
  kCall,        // names[payload](arguments), about which nothing is known
  kPlusMinus,   // a +- b
  kMinusPlus,   // a -+ b
  kFactorial,   // a!
  kDerivative,  // of a by the symbol b
  kIntegral,    // of a by the symbol b, from c to d where they are there
  kBased,       // names[payload], digits in the base a
  kPercent,     // a percent
  kDegrees,     // a degrees
  kQuantity,    // a with the unit names[payload]
  // Several things.
  kList,      // a, b, ...: no order
  kBraces,    // {a, b, ...} written with TeX's own braces: shown as a, b, ...
  kSet,       // \{a, b, ...\}
  kTuple,     // (a, b, ...); of two also an open interval
  kInterval,  // from a to b; flags: kClosedLeft, kClosedRight
  kUnion,
  kIntersection,
  kDifference,
  kSetBuilder,  // all a with b
  kMatrix,      // payload: columns; row by row
  kChain,       // a R b S c: payload: names[], one letter per relation
  kRatio,       // a : b : ...
};

enum class Function : uint8_t {
  kSin,
  kCos,
  kTan,
  kCot,
  kSec,
  kCsc,
  kArcsin,
  kArccos,
  kArctan,
  kArccot,
  kArcsec,
  kArccsc,
  kSinh,
  kCosh,
  kTanh,
  kCoth,
  kSech,
  kCsch,
  kArsinh,
  kArcosh,
  kArtanh,
  kExp,
  kLn,
  kLog,  // kLog: natural with one argument, else to the base b
  kAbs,
  kFloor,
  kCeil,
  kRound,
  kSign,
  kRe,
  kIm,
  kConjugate,
  kMod,
  kGcd,
  kLcm,
  kMin,
  kMax,
  kBinomial,
  kCis,  // Read as e^(i x); in no expression.
};

// Relations in a chain, as letters.
inline constexpr char kEqual = '=';
inline constexpr char kNotEqual = '!';
inline constexpr char kLess = '<';
inline constexpr char kLessEqual = 'l';
inline constexpr char kGreater = '>';
inline constexpr char kGreaterEqual = 'g';
inline constexpr char kApprox = '~';
inline constexpr char kIn = 'e';
inline constexpr char kOtherRelation = 'o';

// Node::flags.
inline constexpr uint8_t kClosedLeft = 1;
inline constexpr uint8_t kClosedRight = 2;
inline constexpr uint8_t kDecimal = 1;   // kNumber: written with a point.
inline constexpr uint8_t kLiteral = 2;   // kNumber: written as digits only.
inline constexpr uint8_t kFraction = 1;  // kDivide: written as a fraction.
inline constexpr uint8_t kApplied = 1;   // kMultiply: a(b), as f(x) is.
inline constexpr uint8_t kGuessed = 1;   // kQuantity: the unit may be symbols.
inline constexpr uint8_t kClock = 1;     // kRatio: written as a time of day.
inline constexpr uint8_t kOrList = 1;    // kList: joined by "or".

struct Node {
  Op op = Op::kNumber;
  uint8_t flags = 0;
  int32_t payload = 0;
  int32_t first = 0;  // Of Expr::children.
  int32_t count = 0;
};

struct Expr {
  std::vector<Node> nodes;
  std::vector<int32_t> children;
  std::vector<mpq_class> numbers;
  std::vector<int32_t> decimals;  // Digits behind the point, per number.
  std::vector<std::string> names;

  // The new node's index.
  int Add(Op op, absl::Span<const int32_t> kids, int payload = 0,
          uint8_t flags = 0);
  int Add(Op op, std::initializer_list<int32_t> kids, int payload = 0,
          uint8_t flags = 0) {
    return Add(op, absl::Span<const int32_t>(kids.begin(), kids.size()),
               payload, flags);
  }
  int AddNumber(mpq_class value, uint8_t flags = 0, int decimal_digits = 0);
  int AddNamed(Op op, std::string_view name,
               absl::Span<const int32_t> kids = {}, uint8_t flags = 0);
  int AddFunction(Function function, absl::Span<const int32_t> kids);

  // A copy of the tree at `root` of `from`, which may be this expression.
  int Import(const Expr& from, int root);
  // A copy of the tree at `root` in which every leaf like `symbol`, a symbol or
  // the letter i, is `with`.
  int Substitute(int root, int symbol, int with);

  // True at each node of the tree at `root`.
  std::vector<bool> Reached(int root) const;
  size_t TreeSize(int root) const;

  absl::Span<const int32_t> Kids(int node) const {
    const Node& n = nodes[node];
    return {children.data() + n.first, static_cast<size_t>(n.count)};
  }
  int Kid(int node, int index) const {
    return children[nodes[node].first + index];
  }
  Op OpOf(int node) const { return nodes[node].op; }
  const std::string& Name(int node) const { return names[nodes[node].payload]; }
  const mpq_class& Number(int node) const {
    return numbers[nodes[node].payload];
  }
  bool IsNumber(int node, long value) const {
    return OpOf(node) == Op::kNumber && Number(node) == value;
  }
  bool IsSymbol(int node, std::string_view name) const {
    return OpOf(node) == Op::kSymbol && Name(node) == name;
  }
};

}  // namespace cohort
