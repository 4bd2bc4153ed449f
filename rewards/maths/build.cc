#include "rewards/maths/build.h"

#include <string>
#include <utility>

namespace cohort {
namespace {

constexpr long kMaxTerms = 400;
constexpr long kMaxOrder = 4;

bool IsMatrix(const Expr& e, int node) { return e.OpOf(node) == Op::kMatrix; }

int Columns(const Expr& e, int matrix) { return e.nodes[matrix].payload; }
int Rows(const Expr& e, int matrix) {
  return e.nodes[matrix].count / Columns(e, matrix);
}

int Entry(const Expr& e, int matrix, int row, int column) {
  return e.Kid(matrix, row * Columns(e, matrix) + column);
}

int MatrixProduct(Expr* e, int a, int b) {
  const int inner = Columns(*e, a);
  const int columns = Columns(*e, b);
  if (inner != Rows(*e, b)) return -1;
  if (static_cast<size_t>(inner) * static_cast<size_t>(columns) > 256)
    return -1;
  std::vector<int32_t> entries;
  for (int r = 0; r < Rows(*e, a); ++r) {
    for (int c = 0; c < columns; ++c) {
      std::vector<int32_t> terms;
      for (int k = 0; k < inner; ++k) {
        terms.push_back(
            e->Add(Op::kMultiply, {Entry(*e, a, r, k), Entry(*e, b, k, c)}));
      }
      entries.push_back(e->Add(Op::kAdd, terms));
    }
  }
  // A row times a column is a number.
  if (entries.size() == 1) return entries[0];
  return e->Add(Op::kMatrix, entries, columns);
}

// One operation at every entry; the other side is a scalar, a matrix of the
// same shape, or nothing (-1).
int ByEntries(Expr* e, Op op, int a, int b) {
  const int shape = IsMatrix(*e, a) ? a : b;
  const bool both = b >= 0 && IsMatrix(*e, a) && IsMatrix(*e, b);
  if (both &&
      (Columns(*e, a) != Columns(*e, b) || Rows(*e, a) != Rows(*e, b))) {
    return -1;
  }
  const int columns = Columns(*e, shape);
  std::vector<int32_t> entries;
  for (int i = 0; i < e->nodes[shape].count; ++i) {
    const int left = IsMatrix(*e, a) ? e->Kid(a, i) : a;
    if (b < 0) {
      entries.push_back(e->Add(op, {left}));
    } else {
      const int right = IsMatrix(*e, b) ? e->Kid(b, i) : b;
      entries.push_back(e->Add(op, {left, right}));
    }
  }
  return e->Add(Op::kMatrix, entries, columns);
}

int MatrixArithmetic(Expr* e, Op op, int a, int b) {
  const bool right = b >= 0 && IsMatrix(*e, b);
  if (op == Op::kMultiply && IsMatrix(*e, a) && right) {
    return MatrixProduct(e, a, b);
  }
  if (op == Op::kDivide && right) return -1;
  if (op == Op::kAdd && !(IsMatrix(*e, a) && right)) return -1;
  return ByEntries(e, op, a, b);
}

int Transposed(Expr* e, int matrix) {
  std::vector<int32_t> entries;
  for (int c = 0; c < Columns(*e, matrix); ++c) {
    for (int r = 0; r < Rows(*e, matrix); ++r) {
      entries.push_back(Entry(*e, matrix, r, c));
    }
  }
  return e->Add(Op::kMatrix, entries, Rows(*e, matrix));
}

// Of two rows and columns; -1 for others.
int Inverted(Expr* e, int matrix) {
  if (Columns(*e, matrix) != 2 || Rows(*e, matrix) != 2) return -1;
  const int determinant = BuildDeterminant(e, matrix);
  const auto entry = [&](int r, int c, bool negative) {
    int value = Entry(*e, matrix, r, c);
    if (negative) value = e->Add(Op::kNegate, {value});
    return e->Add(Op::kDivide, {value, determinant});
  };
  return e->Add(Op::kMatrix,
                {entry(1, 1, false), entry(0, 1, true), entry(1, 0, true),
                 entry(0, 0, false)},
                2);
}

// How many arguments a function takes: {least, most}; most -1: any number.
std::pair<int, int> Arity(Function function) {
  switch (function) {
    case Function::kMod:
    case Function::kBinomial:
      return {2, 2};
    case Function::kLog:
      return {1, 2};
    case Function::kGcd:
    case Function::kLcm:
    case Function::kMin:
    case Function::kMax:
      return {1, -1};
    default:
      return {1, 1};
  }
}

Function Inverse(Function function) {
  const int f = static_cast<int>(function);
  if (f <= static_cast<int>(Function::kCsc)) {
    return static_cast<Function>(f + static_cast<int>(Function::kArcsin));
  }
  if (function == Function::kSinh) return Function::kArsinh;
  if (function == Function::kCosh) return Function::kArcosh;
  if (function == Function::kTanh) return Function::kArtanh;
  return function;
}

bool SmallInteger(const Expr& e, int node, long* value) {
  if (node < 0) return false;
  bool negative = false;
  if (e.OpOf(node) == Op::kNegate) {
    negative = true;
    node = e.Kid(node, 0);
  }
  if (e.OpOf(node) != Op::kNumber || e.Number(node).get_den() != 1 ||
      !e.Number(node).get_num().fits_sint_p()) {
    return false;
  }
  *value = e.Number(node).get_num().get_si() * (negative ? -1 : 1);
  return true;
}

// A name for the index of a sum that the sums inside `body` do not use.
std::string FreeIndex(const Expr& e, int body) {
  const std::vector<bool> reached = e.Reached(body);
  std::string name = "\\index";
  for (int i = 0; i <= body; ++i) {
    if (reached[i] && e.OpOf(i) == Op::kSymbol &&
        e.Name(i).size() >= name.size() && e.Name(i).starts_with("\\index")) {
      name = e.Name(i) + "'";
    }
  }
  return name;
}

}  // namespace

int WithoutBraces(const Expr& e, int node) {
  while (e.OpOf(node) == Op::kSet && e.nodes[node].count == 1) {
    node = e.Kid(node, 0);
  }
  return node;
}

int BuildArithmetic(Expr* e, Op op, int a, int b) {
  a = WithoutBraces(*e, a);
  if (b >= 0) b = WithoutBraces(*e, b);
  if (IsMatrix(*e, a) || (b >= 0 && IsMatrix(*e, b))) {
    return MatrixArithmetic(e, op, a, b);
  }
  if (b < 0) return e->Add(op, {a});
  return e->Add(op, {a, b});
}

int BuildPower(Expr* e, int a, int b) {
  a = WithoutBraces(*e, a);
  b = WithoutBraces(*e, b);
  if (!IsMatrix(*e, a))
    return IsMatrix(*e, b) ? -1 : e->Add(Op::kPower, {a, b});
  if (e->IsSymbol(b, "T") || e->IsSymbol(b, "\\top")) return Transposed(e, a);
  long power = 0;
  if (!SmallInteger(*e, b, &power) || power < -1 || power == 0 || power > 4) {
    return -1;
  }
  if (power == -1) return Inverted(e, a);
  int value = a;
  for (long i = 1; i < power && value >= 0; ++i) {
    value = MatrixProduct(e, value, a);
  }
  return value;
}

int BuildRatio(Expr* e, int a, int b) {
  std::vector<int32_t> parts = {a};
  if (e->OpOf(a) == Op::kRatio) {
    parts.assign(e->Kids(a).begin(), e->Kids(a).end());
  }
  parts.push_back(b);
  return e->Add(Op::kRatio, parts);
}

int DerivativeOperator(const Expr& e, int node, int* order) {
  *order = 1;
  if (e.OpOf(node) != Op::kDivide || (e.nodes[node].flags & kFraction) == 0) {
    return -1;
  }
  int above = e.Kid(node, 0);
  const int below = e.Kid(node, 1);
  if (e.OpOf(below) != Op::kMultiply || e.nodes[below].count != 2) return -1;
  int variable = e.Kid(below, 1);
  if (e.OpOf(above) == Op::kPower && e.OpOf(variable) == Op::kPower) {
    // d^2 / dx^2
    long n = 0;
    long same = 0;
    if (!SmallInteger(e, e.Kid(above, 1), &n) ||
        !SmallInteger(e, e.Kid(variable, 1), &same) || n != same || n < 1 ||
        n > kMaxOrder) {
      return -1;
    }
    *order = static_cast<int>(n);
    above = e.Kid(above, 0);
    variable = e.Kid(variable, 0);
  }
  if (e.OpOf(variable) != Op::kSymbol) return -1;
  for (const std::string_view d : {"d", "\\partial"}) {
    if (e.IsSymbol(above, d) && e.IsSymbol(e.Kid(below, 0), d)) return variable;
  }
  return -1;
}

int BuildFunction(Expr* e, Function function, int argument, int index,
                  int exponent) {
  argument = WithoutBraces(*e, argument);
  std::vector<int32_t> arguments = {argument};
  if (e->OpOf(argument) == Op::kTuple || e->OpOf(argument) == Op::kSet ||
      e->OpOf(argument) == Op::kBraces) {
    arguments.assign(e->Kids(argument).begin(), e->Kids(argument).end());
  }
  if (function == Function::kCis) {
    const int angle = e->Add(Op::kMultiply, {e->Add(Op::kI, {}), argument});
    return exponent < 0 && index < 0
               ? e->AddFunction(Function::kExp, {&angle, 1})
               : -1;
  }
  const auto [least, most] = Arity(function);
  if (function == Function::kLog && index >= 0) {
    if (arguments.size() != 1) return -1;
    arguments.push_back(index);
  } else if (index >= 0) {
    return -1;
  }
  const int count = static_cast<int>(arguments.size());
  if (count < least || (most >= 0 && count > most)) return -1;
  long power = 0;
  if (SmallInteger(*e, exponent, &power) && power == -1 &&
      Inverse(function) != function) {
    return e->AddFunction(Inverse(function), arguments);
  }
  const int value = e->AddFunction(function, arguments);
  return exponent < 0 ? value : e->Add(Op::kPower, {value, exponent});
}

int BuildSum(Expr* e, bool product, int range, int last, int body) {
  long from = 0;
  long to = 0;
  const bool ranged = range >= 0 && e->OpOf(range) == Op::kChain &&
                      e->Name(range) == "=" &&
                      (e->OpOf(e->Kid(range, 0)) == Op::kSymbol ||
                       e->OpOf(e->Kid(range, 0)) == Op::kI);
  if (ranged && SmallInteger(*e, e->Kid(range, 1), &from) &&
      SmallInteger(*e, last, &to) && to - from < kMaxTerms &&
      (to - from + 1) * static_cast<long>(e->TreeSize(body)) <
          static_cast<long>(kMaxNodes / 4)) {
    const int symbol = e->Kid(range, 0);
    std::vector<int32_t> terms;
    for (long k = from; k <= to; ++k) {
      terms.push_back(e->Substitute(body, symbol, e->AddNumber(mpq_class(k))));
    }
    if (terms.empty()) return e->AddNumber(product ? 1 : 0);
    return e->Add(product ? Op::kMultiply : Op::kAdd, terms);
  }
  if (ranged) {
    // The name of the index does not matter.
    const int symbol = e->Kid(range, 0);
    const int index = e->AddNamed(Op::kSymbol, FreeIndex(*e, body));
    body = e->Substitute(body, symbol, index);
    range = e->Kid(range, 1);
  }
  std::vector<int32_t> kids = {body};
  if (range >= 0) kids.push_back(range);
  if (last >= 0) kids.push_back(last);
  return e->AddNamed(Op::kCall, product ? "\\prod" : "\\sum", kids);
}

int BuildDeterminant(Expr* e, int matrix) {
  const int n = Columns(*e, matrix);
  if (n != Rows(*e, matrix) || n > 3) return -1;
  const auto at = [&](int r, int c) { return Entry(*e, matrix, r, c); };
  const auto times = [&](int a, int b) {
    return e->Add(Op::kMultiply, {a, b});
  };
  const auto minor = [&](int r0, int r1, int c0, int c1) {
    const int plus = times(at(r0, c0), at(r1, c1));
    const int minus = e->Add(Op::kNegate, {times(at(r0, c1), at(r1, c0))});
    return e->Add(Op::kAdd, {plus, minus});
  };
  if (n == 1) return at(0, 0);
  if (n == 2) return minor(0, 1, 0, 1);
  const int first = times(at(0, 0), minor(1, 2, 1, 2));
  const int second = e->Add(Op::kNegate, {times(at(0, 1), minor(1, 2, 0, 2))});
  const int third = times(at(0, 2), minor(1, 2, 0, 1));
  return e->Add(Op::kAdd, {first, second, third});
}

int BuildAbsolute(Expr* e, int inner) {
  const bool vector = e->OpOf(inner) == Op::kTuple ||
                      (IsMatrix(*e, inner) && e->nodes[inner].count > 1 &&
                       (Columns(*e, inner) == 1 || Rows(*e, inner) == 1));
  if (vector) {
    std::vector<int32_t> squares;
    const std::vector<int32_t> parts(e->Kids(inner).begin(),
                                     e->Kids(inner).end());
    for (const int part : parts) {
      squares.push_back(e->Add(Op::kMultiply, {part, part}));
    }
    return e->Add(Op::kRoot, {e->Add(Op::kAdd, squares), e->AddNumber(2)});
  }
  if (IsMatrix(*e, inner)) return BuildDeterminant(e, inner);
  return e->AddFunction(Function::kAbs, {&inner, 1});
}

}  // namespace cohort
