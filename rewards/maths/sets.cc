#include "rewards/maths/sets.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "rewards/maths/polynomial.h"
#include "rewards/maths/relations.h"

namespace cohort {
namespace {

constexpr size_t kMaxEndpoints = 64;
constexpr int kMaxNesting = 24;

bool IsSetOperation(Op op) {
  return op == Op::kUnion || op == Op::kIntersection || op == Op::kDifference;
}

int Infinity(Expr* e, bool negative) {
  const int infinity = e->Add(Op::kInfinity, {});
  return negative ? e->Add(Op::kNegate, {infinity}) : infinity;
}

// All x with x R end, or with end R x where `mirrored`.
int HalfLine(Expr* e, char relation, int end, bool mirrored) {
  if (relation == kNotEqual) {
    const int reals = e->Add(Op::kReals, {});
    return e->Add(Op::kDifference, {reals, e->Add(Op::kSet, {end})});
  }
  if (relation == kEqual) return e->Add(Op::kSet, {end});
  const bool below = (relation == kLess || relation == kLessEqual) != mirrored;
  const bool closed = relation == kLessEqual || relation == kGreaterEqual;
  if (below) {
    return e->Add(Op::kInterval, {Infinity(e, true), end}, 0,
                  closed ? kClosedRight : uint8_t{0});
  }
  return e->Add(Op::kInterval, {end, Infinity(e, false)}, 0,
                closed ? kClosedLeft : uint8_t{0});
}

// c1 x + c0 R 0
int SolveLinear(Expr* e, const Polynomial& p, char relation) {
  const int end = e->AddNumber(-p[0] / p[1]);
  return HalfLine(e, relation, end, p[1] < 0);
}

// c2 x^2 + c1 x + c0 R 0
int SolveQuadratic(Expr* e, Polynomial p, char relation) {
  if (p[2] < 0) {
    for (mpq_class& c : p) c = -c;
    if (relation == kLess) {
      relation = kGreater;
    } else if (relation == kGreater) {
      relation = kLess;
    } else if (relation == kLessEqual) {
      relation = kGreaterEqual;
    } else if (relation == kGreaterEqual) {
      relation = kLessEqual;
    }
  }
  const mpq_class discriminant = p[1] * p[1] - 4 * p[2] * p[0];
  const bool inside = relation == kLess || relation == kLessEqual;
  const bool closed = relation == kLessEqual || relation == kGreaterEqual;
  if (relation == kNotEqual || relation == kEqual) return -1;
  if (discriminant < 0) return e->Add(inside ? Op::kEmptySet : Op::kReals, {});
  const int root =
      e->Add(Op::kRoot,
             {e->AddNumber(discriminant / (4 * p[2] * p[2])), e->AddNumber(2)});
  const int middle = e->AddNumber(-p[1] / (2 * p[2]));
  const int minus = e->Add(Op::kNegate, {root});
  const int low = e->Add(Op::kAdd, {middle, minus});
  const int high = e->Add(Op::kAdd, {middle, root});
  const uint8_t ends =
      closed ? static_cast<uint8_t>(kClosedLeft | kClosedRight) : uint8_t{0};
  if (inside) {
    if (discriminant == 0 && !closed) return e->Add(Op::kEmptySet, {});
    return e->Add(Op::kInterval, {low, high}, 0, ends);
  }
  const int left = HalfLine(e, closed ? kLessEqual : kLess, low, false);
  const int right = HalfLine(e, closed ? kGreaterEqual : kGreater, high, false);
  return e->Add(Op::kUnion, {left, right});
}

bool IsAbs(const Expr& e, int node) {
  return e.OpOf(node) == Op::kFunction &&
         e.nodes[node].payload == static_cast<int>(Function::kAbs);
}

// One relation between `left` and `right`; -1 where it is not solved.
int Solve(Workspace* w, int left, char relation, int right, int nesting) {
  Expr& e = w->e;
  if (nesting > kMaxNesting) return -1;
  if (IsName(e, left) && !IsAbs(e, left) && SymbolsIn(e, right).empty()) {
    return HalfLine(&e, relation, right, false);
  }
  if (IsName(e, right) && !IsAbs(e, right) && SymbolsIn(e, left).empty()) {
    return HalfLine(&e, relation, left, true);
  }
  if (IsAbs(e, left) && SymbolsIn(e, right).empty()) {
    const int inner = e.Kid(left, 0);
    const int minus = e.Add(Op::kNegate, {right});
    const bool inside = relation == kLess || relation == kLessEqual;
    const char other = relation == kLess        ? kGreater
                       : relation == kLessEqual ? kGreaterEqual
                       : relation == kGreater   ? kLess
                                                : kLessEqual;
    if (relation == kEqual || relation == kNotEqual) return -1;
    const int above = Solve(w, inner, relation, right, nesting + 1);
    const int below = Solve(w, inner, other, minus, nesting + 1);
    if (above < 0 || below < 0) return -1;
    return e.Add(inside ? Op::kIntersection : Op::kUnion, {above, below});
  }
  const int difference = e.Add(Op::kAdd, {left, e.Add(Op::kNegate, {right})});
  const std::vector<std::string> symbols = SymbolsIn(e, difference);
  if (symbols.size() != 1) return -1;
  const auto p = PolynomialIn(e, difference, symbols[0]);
  if (!p.has_value()) return -1;
  if (p->size() == 2) return SolveLinear(&e, *p, relation);
  if (p->size() == 3) return SolveQuadratic(&e, *p, relation);
  return -1;
}

int SolveChain(Workspace* w, int chain) {
  const std::string relations = w->e.Name(chain);
  const std::vector<int32_t> sides(w->e.Kids(chain).begin(),
                                   w->e.Kids(chain).end());
  if (relations == "e") {
    return IsName(w->e, sides[0]) ? sides[1] : -1;
  }
  if (relations.find_first_not_of("<>lg!=") != std::string::npos) return -1;
  int all = -1;
  for (size_t i = 0; i < relations.size(); ++i) {
    const int one = Solve(w, sides[i], relations[i], sides[i + 1], 0);
    if (one < 0) return -1;
    all = all < 0 ? one : w->e.Add(Op::kIntersection, {all, one});
  }
  return all;
}

int AsSetAt(Workspace* w, int node, int nesting);

// A side of a union: a number in TeX's braces, {2}, is the set of it.
int AsOperand(Workspace* w, int node, int nesting) {
  const Op op = w->e.OpOf(node);
  const bool scalar = op < Op::kList && op != Op::kReals && op != Op::kEmptySet;
  if (scalar) return w->e.Add(Op::kSet, {node});
  return AsSetAt(w, node, nesting + 1);
}

// `kids` joined by one operation; a list of "and" that leaves nothing was meant
// as "or".
int JoinSets(Workspace* w, absl::Span<const int32_t> kids, Op op, int nesting) {
  int all = -1;
  for (const int kid : kids) {
    const int one = AsSetAt(w, kid, nesting + 1);
    if (one < 0) return -1;
    all = all < 0 ? one : w->e.Add(op, {all, one});
  }
  return all;
}

// The values of "x = 1, x = 2"; other elements as they are.
std::vector<int32_t> ValuesOf(Workspace* w, std::vector<int32_t> elements) {
  for (int32_t& element : elements) {
    if (!IsAssignment(w->e, element)) continue;
    if (const int value = ValueOfChain(w, element); value >= 0) element = value;
  }
  return elements;
}

int AsSetAt(Workspace* w, int node, int nesting) {
  Expr& e = w->e;
  if (nesting > kMaxNesting) return -1;
  const std::vector<int32_t> kids(e.Kids(node).begin(), e.Kids(node).end());
  switch (e.OpOf(node)) {
    case Op::kInterval:
    case Op::kReals:
    case Op::kEmptySet:
    case Op::kSet:
      return node;
    case Op::kBraces:
      return e.Add(Op::kSet, kids);
    case Op::kTuple:
      return kids.size() == 2 ? e.Add(Op::kInterval, kids) : -1;
    case Op::kUnion:
    case Op::kIntersection:
    case Op::kDifference: {
      const int a = AsOperand(w, kids[0], nesting);
      const int b = AsOperand(w, kids[1], nesting);
      return a < 0 || b < 0 ? -1 : e.Add(e.OpOf(node), {a, b});
    }
    case Op::kSetBuilder: {
      const std::vector<int32_t> conditions(kids.begin() + 1, kids.end());
      return JoinSets(w, conditions, Op::kIntersection, nesting);
    }
    case Op::kChain: {
      const int solved = SolveChain(w, node);
      return solved < 0 ? -1
             : e.OpOf(solved) == Op::kInterval || solved == node
                 ? solved
                 : AsSetAt(w, solved, nesting + 1);
    }
    case Op::kList: {
      bool relations = false;
      for (const int kid : kids) relations = relations || IsRealSet(e, kid);
      if (!relations) return e.Add(Op::kSet, ValuesOf(w, kids));
      const bool conjunction =
          (e.nodes[node].flags & kOrList) == 0 && IsChain(e, kids[0]);
      const int all = JoinSets(
          w, kids, conjunction ? Op::kIntersection : Op::kUnion, nesting);
      if (!conjunction || all < 0) return all;
      const int nothing = e.Add(Op::kEmptySet, {});
      const Comparison empty = SameRealSets(w, all, nothing);
      return empty.equality == Equality::kEqual
                 ? JoinSets(w, kids, Op::kUnion, nesting)
                 : all;
    }
    default:
      return -1;
  }
}

// The line cut at all end points of two sets into points and open pieces.
class Cells {
 public:
  explicit Cells(Workspace* w) : w_(*w) {}

  // False where an end point is no known real number.
  bool Cut(const std::vector<int32_t>& roots) {
    for (const int root : roots) {
      if (!Collect(root)) return false;
    }
    std::stable_sort(
        points_.begin(), points_.end(),
        [](const Point& a, const Point& b) { return a.value < b.value; });
    std::vector<Point> different;
    for (const Point& point : points_) {
      if (different.empty() || !SamePoint(different.back(), point)) {
        different.push_back(point);
      }
    }
    points_ = std::move(different);
    return points_.size() <= kMaxEndpoints;
  }

  // Which cells belong to the set: piece 0, point 0, piece 1, point 1, ...
  std::vector<bool> Members(int root) {
    const std::vector<bool> reached = w_.e.Reached(root);
    std::vector<std::vector<bool>> sets(root + 1);
    for (int i = 0; i <= root; ++i) {
      if (reached[i]) sets[i] = MembersOf(i, sets);
    }
    return sets[root];
  }

 private:
  struct Point {
    int node;
    double value;
  };

  bool SamePoint(const Point& a, const Point& b) {
    const double scale = std::max(1.0, std::abs(a.value));
    if (std::abs(a.value - b.value) > 1e-9 * scale) return false;
    return w_.Same(a.node, b.node).equality == Equality::kEqual;
  }

  bool Collect(int root) {
    const std::vector<bool> reached = w_.e.Reached(root);
    for (int i = 0; i <= root; ++i) {
      const Op op = w_.e.OpOf(i);
      if (!reached[i] || (op != Op::kInterval && op != Op::kSet)) continue;
      for (const int end : w_.e.Kids(i)) {
        const auto value = RealValue(w_.e, &w_.exact, &w_.modular, end);
        if (!value.has_value() || !w_.Spend(1)) return false;
        if (std::abs(*value) != HUGE_VAL) points_.push_back({end, *value});
        if (points_.size() > 4 * kMaxEndpoints) return false;
      }
    }
    return true;
  }

  // The cell of an end point; -1 and the number of cells for the infinities.
  int CellOf(int end) {
    const double value =
        RealValue(w_.e, &w_.exact, &w_.modular, end).value_or(0);
    if (value == HUGE_VAL) return static_cast<int>(2 * points_.size()) + 1;
    if (value == -HUGE_VAL) return -1;
    for (size_t i = 0; i < points_.size(); ++i) {
      if (SamePoint(points_[i], {end, value})) {
        return static_cast<int>(2 * i) + 1;
      }
    }
    return -1;
  }

  std::vector<bool> MembersOf(int node,
                              const std::vector<std::vector<bool>>& sets) {
    const Expr& e = w_.e;
    const size_t cells = 2 * points_.size() + 1;
    std::vector<bool> in(cells, e.OpOf(node) == Op::kReals);
    if (e.OpOf(node) == Op::kInterval) {
      const int low = CellOf(e.Kid(node, 0));
      const int high = CellOf(e.Kid(node, 1));
      const uint8_t flags = e.nodes[node].flags;
      for (int i = 0; i < static_cast<int>(cells); ++i) {
        in[i] = (i > low && i < high) ||
                (i == low && i == high
                     ? flags == (kClosedLeft | kClosedRight)
                     : (i == low && (flags & kClosedLeft) != 0 && low < high) ||
                           (i == high && (flags & kClosedRight) != 0 &&
                            low < high));
      }
    } else if (e.OpOf(node) == Op::kSet) {
      for (const int point : e.Kids(node)) {
        const int cell = CellOf(point);
        if (cell >= 0 && cell < static_cast<int>(cells)) in[cell] = true;
      }
    } else if (IsSetOperation(e.OpOf(node))) {
      const std::vector<bool>& a = sets[e.Kid(node, 0)];
      const std::vector<bool>& b = sets[e.Kid(node, 1)];
      for (size_t i = 0; i < cells; ++i) {
        in[i] = e.OpOf(node) == Op::kUnion          ? a[i] || b[i]
                : e.OpOf(node) == Op::kIntersection ? a[i] && b[i]
                                                    : a[i] && !b[i];
      }
    }
    return in;
  }

  Workspace& w_;
  std::vector<Point> points_;
};

// The pieces of a union, left to right.
std::vector<int32_t> Pieces(const Expr& e, int node) {
  std::vector<int32_t> pieces;
  std::vector<int32_t> open = {node};
  while (!open.empty()) {
    const int next = open.back();
    open.pop_back();
    if (e.OpOf(next) == Op::kUnion) {
      open.push_back(e.Kid(next, 1));
      open.push_back(e.Kid(next, 0));
    } else {
      pieces.push_back(next);
    }
  }
  return pieces;
}

Comparison SamePiece(Workspace* w, int a, int b) {
  const Node x = w->e.nodes[a];
  const Node y = w->e.nodes[b];
  if (x.op != y.op || x.flags != y.flags || x.count != y.count) {
    return kIsDifferent;
  }
  for (int k = 0; k < x.count; ++k) {
    const Comparison same = w->Same(w->e.Kid(a, k), w->e.Kid(b, k));
    if (same.equality != Equality::kEqual) return same;
  }
  return kIsEqual;
}

// Sets with unknown ends: piece by piece, ends as scalars.
Comparison SamePieces(Workspace* w, int a, int b) {
  const std::vector<int32_t> left = Pieces(w->e, a);
  const std::vector<int32_t> right = Pieces(w->e, b);
  if (left.size() != right.size() || left.size() > kMaxEndpoints) {
    return kIsDifferent;
  }
  Comparison worst = kIsEqual;
  std::vector<bool> found(right.size(), false);
  for (size_t i = 0; i < left.size(); ++i) {
    Comparison best = kIsDifferent;
    for (size_t k = 0; k < right.size(); ++k) {
      // The same place first: most unions are in order.
      const size_t j = (i + k) % right.size();
      if (found[j]) continue;
      const Comparison same = SamePiece(w, left[i], right[j]);
      if (same.equality == Equality::kUndecided) best = same;
      if (same.equality != Equality::kEqual) continue;
      found[j] = true;
      best = same;
      break;
    }
    if (best.equality == Equality::kDifferent) return best;
    if (best.equality == Equality::kUndecided) worst = best;
  }
  return worst;
}

}  // namespace

bool IsRealSet(const Expr& e, int node) {
  switch (e.OpOf(node)) {
    case Op::kInterval:
    case Op::kReals:
    case Op::kEmptySet:
    case Op::kUnion:
    case Op::kIntersection:
    case Op::kDifference:
    case Op::kSetBuilder:
      return true;
    case Op::kChain:
      return e.Name(node).find_first_of("<>lg!e") != std::string::npos;
    case Op::kList:
      for (const int kid : e.Kids(node)) {
        if (e.OpOf(kid) != Op::kList && IsRealSet(e, kid)) return true;
      }
      return false;
    default:
      return false;
  }
}

int AsRealSet(Workspace* w, int node) { return AsSetAt(w, node, 0); }

Comparison SameRealSets(Workspace* w, int a, int b) {
  Cells cells(w);
  if (!cells.Cut({a, b})) return SamePieces(w, a, b);
  return cells.Members(a) == cells.Members(b) ? kIsEqual : kIsDifferent;
}

}  // namespace cohort
