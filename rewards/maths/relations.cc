#include "rewards/maths/relations.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"

namespace cohort {
namespace {

// Products of capital letters name segments: AB.
bool IsSegment(const Expr& e, int node) {
  if (e.OpOf(node) != Op::kMultiply) return false;
  for (const int kid : e.Kids(node)) {
    const bool letter =
        e.OpOf(kid) == Op::kSymbol && absl::ascii_isupper(e.Name(kid)[0]);
    if (!letter && !IsSegment(e, kid)) return false;
  }
  return true;
}

bool IsFunctionOf(const Expr& e, int node, Function function) {
  return e.OpOf(node) == Op::kFunction &&
         e.nodes[node].payload == static_cast<int>(function);
}

bool IsNameAtDepth(const Expr& e, int node, int depth) {
  if (depth > 8) return false;
  const auto all = [&] {
    for (const int kid : e.Kids(node)) {
      if (!IsNameAtDepth(e, kid, depth + 1)) return false;
    }
    return true;
  };
  switch (e.OpOf(node)) {
    case Op::kSymbol:
    case Op::kText:
    case Op::kCall:
      return true;
    case Op::kMultiply:
      return (e.nodes[node].flags & kApplied) != 0 || IsSegment(e, node);
    case Op::kTuple:
    case Op::kRatio:
    case Op::kDivide:
    case Op::kList:
      return all();
    case Op::kPower:  // f^{-1}(x) is read as a power.
      return false;
    default:
      return IsFunctionOf(e, node, Function::kAbs) && all();
  }
}

bool IsInequalityLetter(char c) {
  return c == kLess || c == kLessEqual || c == kGreater || c == kGreaterEqual;
}

char Flipped(char c) {
  switch (c) {
    case kLess:
      return kGreater;
    case kLessEqual:
      return kGreaterEqual;
    case kGreater:
      return kLess;
    case kGreaterEqual:
      return kLessEqual;
    default:
      return c;
  }
}

int Difference(Workspace* w, int chain) {
  const int left = w->e.Kid(chain, 0);
  const int right = w->e.Add(Op::kNegate, {w->e.Kid(chain, 1)});
  return w->e.Add(Op::kAdd, {left, right});
}

// The sign of f/g, which is constant; 0 where it is not known.
int SignOfRatio(Workspace* w, int f, int g) {
  for (int point = 0; point < 3; ++point) {
    BallEvaluator evaluator(w->e, &w->exact, &w->modular,
                            {.index = point, .negative = point > 0}, 128);
    const Ball x = evaluator.Run(f);
    const Ball y = evaluator.Run(g);
    arb_srcptr a = acb_realref(x.get());
    arb_srcptr b = acb_realref(y.get());
    if (!acb_is_finite(x.get()) || !acb_is_finite(y.get())) continue;
    if (arb_contains_zero(a) || arb_contains_zero(b)) continue;
    return arb_is_negative(a) == arb_is_negative(b) ? 1 : -1;
  }
  return 0;
}

unsigned __int128 Product(uint64_t a, uint64_t b) {
  return static_cast<unsigned __int128>(a) * b % 2305843009213693921u;
}

Comparison Proportional(Workspace* w, int a, int b) {
  const std::string& x = w->e.Name(a);
  const std::string& y = w->e.Name(b);
  const int f = Difference(w, a);
  const int g = Difference(w, b);
  const ModularValue u = w->modular.At(f);
  const ModularValue v = w->modular.At(g);
  if (!u.known || !v.known) return {Equality::kUndecided, "no values"};
  const bool zero = u.at[0] == 0 || v.at[0] == 0;
  const bool same = Product(u.at[0], v.at[1]) == Product(u.at[1], v.at[0]);
  if (zero || !same) return kIsDifferent;
  if (x == "=" || x == "!") return x == y ? kIsEqual : kIsDifferent;
  const int sign = SignOfRatio(w, f, g);
  if (sign == 0) return {Equality::kUndecided, "no values"};
  return x[0] == (sign > 0 ? y[0] : Flipped(y[0])) ? kIsEqual : kIsDifferent;
}

}  // namespace

bool IsName(const Expr& e, int node) { return IsNameAtDepth(e, node, 0); }

bool IsChain(const Expr& e, int node) { return e.OpOf(node) == Op::kChain; }

bool IsAssignment(const Expr& e, int node) {
  if (!IsChain(e, node) || !IsName(e, e.Kid(node, 0))) return false;
  for (const char c : e.Name(node)) {
    if (c != kEqual && c != kApprox) return false;
  }
  return true;
}

bool IsInequality(const Expr& e, int node) {
  if (!IsChain(e, node)) return false;
  const std::string& relations = e.Name(node);
  return std::all_of(relations.begin(), relations.end(), IsInequalityLetter);
}

int ValueOfChain(Workspace* w, int chain) {
  const Expr& e = w->e;
  const std::string relations = e.Name(chain);
  const std::vector<int32_t> sides(e.Kids(chain).begin(), e.Kids(chain).end());
  if (relations == std::string(1, kIn)) {
    return IsName(e, sides[0]) ? sides[1] : -1;
  }
  const bool residue = relations == std::string(1, kOtherRelation) &&
                       e.OpOf(sides[1]) == Op::kCall &&
                       e.Name(sides[1]) == "\\pmod";
  if (residue) return IsName(e, sides[0]) ? sides[1] : -1;
  if (relations.find_first_not_of("=~") != std::string::npos) return -1;
  // What stands before the first "about" is exact.
  const size_t about = relations.find(kApprox);
  const size_t exact = about == std::string::npos ? sides.size() : about + 1;
  const bool named = IsName(e, sides[0]);
  if (exact == 1) return named ? sides[1] : sides[0];
  if (named) return sides[exact - 1];
  if (exact == 2 && IsName(e, sides[1])) return sides[0];
  for (size_t i = 1; i < exact; ++i) {
    if (w->Same(sides[0], sides[i]).equality != Equality::kEqual) return -1;
  }
  return sides[exact - 1];
}

Comparison SameRelations(Workspace* w, int a, int b) {
  std::string x = w->e.Name(a);
  std::string y = w->e.Name(b);
  if (x.size() != y.size()) return kIsDifferent;
  std::vector<int32_t> left(w->e.Kids(a).begin(), w->e.Kids(a).end());
  std::vector<int32_t> right(w->e.Kids(b).begin(), w->e.Kids(b).end());
  for (const bool reversed : {false, true}) {
    if (reversed) {
      std::reverse(right.begin(), right.end());
      std::reverse(y.begin(), y.end());
      std::transform(y.begin(), y.end(), y.begin(), Flipped);
    }
    bool same = x == y;
    for (size_t i = 0; i < left.size() && same; ++i) {
      same = w->Same(left[i], right[i]).equality == Equality::kEqual;
    }
    if (same) return kIsEqual;
  }
  const bool simple = x.size() == 1 && (x[0] == kEqual || x[0] == kNotEqual ||
                                        IsInequalityLetter(x[0]));
  return simple ? Proportional(w, a, b) : kIsDifferent;
}

std::vector<std::string> SymbolsIn(const Expr& e, int root) {
  const std::vector<bool> reached = e.Reached(root);
  std::set<std::string> names;
  for (int i = 0; i <= root; ++i) {
    if (reached[i] && e.OpOf(i) == Op::kSymbol) names.insert(e.Name(i));
  }
  return {names.begin(), names.end()};
}

}  // namespace cohort
