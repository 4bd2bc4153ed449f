#include "rewards/maths/compare.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "rewards/maths/leaves.h"
#include "rewards/maths/relations.h"
#include "rewards/maths/sets.h"

namespace cohort {
namespace {

constexpr int kMaxNesting = 16;
constexpr size_t kMaxElements = 2000;
constexpr long kMaxContinued = 1000;

using Nodes = std::vector<int32_t>;

bool IsCollection(Op op) {
  return op == Op::kList || op == Op::kSet || op == Op::kBraces;
}

class Comparer {
 public:
  explicit Comparer(Workspace* w) : w_(*w), e_(w->e) {}

  Comparison Same(int a, int b, int nesting) {
    if (nesting > kMaxNesting || !w_.Spend(1)) {
      return {Equality::kUndecided, "work limit"};
    }
    if (IsChain(e_, a) || IsChain(e_, b)) return Chains(a, b, nesting);
    a = Expanded(a);
    b = Expanded(b);
    if (IsRealSet(e_, a) || IsRealSet(e_, b)) return Sets(a, b, nesting);
    const Op x = e_.OpOf(a);
    const Op y = e_.OpOf(b);
    if (IsCollection(x) || IsCollection(y)) return Collections(a, b, nesting);
    if (x == Op::kTuple && y == Op::kTuple) return InOrder(a, b, nesting);
    if (x == Op::kMatrix && y == Op::kMatrix) {
      if (e_.nodes[a].payload != e_.nodes[b].payload) return kIsDifferent;
      return InOrder(a, b, nesting);
    }
    if (x == Op::kMatrix || y == Op::kMatrix) return Vectors(a, b, nesting);
    if (x == Op::kTuple || y == Op::kTuple) return kIsDifferent;
    return SameLeaves(&w_, a, b);
  }

 private:
  // a +- b as the list of both; other nodes as they are.
  int Expanded(int node) {
    if (IsCollection(e_.OpOf(node))) return node;
    const std::vector<bool> reached = e_.Reached(node);
    int signs = 0;
    bool opposite = false;
    for (int i = 0; i <= node; ++i) {
      if (!reached[i]) continue;
      if (e_.OpOf(i) == Op::kPlusMinus) ++signs;
      if (e_.OpOf(i) == Op::kMinusPlus) {
        ++signs;
        opposite = true;
      }
    }
    if (signs == 0 || signs > 3) return node;
    // With a minus-plus all signs go together; else each has its own.
    const int choices = opposite ? 2 : 1 << signs;
    Nodes all;
    for (int choice = 0; choice < choices; ++choice) {
      all.push_back(
          WithSigns(node, opposite ? (choice == 0 ? 0 : -1) : choice));
    }
    return e_.Add(Op::kList, all);
  }

  // A copy in which the n-th sign is minus where bit n of `choice` is set.
  int WithSigns(int root, int choice) {
    const std::vector<bool> reached = e_.Reached(root);
    Nodes place(root + 1, -1);
    int sign = 0;
    for (int i = 0; i <= root; ++i) {
      if (!reached[i]) continue;
      Nodes kids;
      bool same = true;
      for (const int kid : e_.Kids(i)) {
        kids.push_back(place[kid]);
        same = same && place[kid] == kid;
      }
      const Node node = e_.nodes[i];
      if (node.op == Op::kPlusMinus || node.op == Op::kMinusPlus) {
        const bool minus =
            ((choice >> sign++) & 1) != (node.op == Op::kMinusPlus ? 1 : 0);
        const int right = minus ? e_.Add(Op::kNegate, {kids[1]}) : kids[1];
        place[i] = e_.Add(Op::kAdd, {kids[0], right});
      } else {
        place[i] = same ? i : e_.Add(node.op, kids, node.payload, node.flags);
      }
    }
    return place[root];
  }

  Comparison Chains(int a, int b, int nesting) {
    const bool both = IsChain(e_, a) && IsChain(e_, b);
    const bool set_form = IsRealSet(e_, a) || IsRealSet(e_, b);
    if (set_form) {
      if (!w_.policy.relations_are_sets && IsInequality(e_, b) &&
          !IsInequality(e_, a)) {
        return {Equality::kDifferent, "a relation for a set"};
      }
      const Comparison sets = Sets(a, b, nesting);
      if (sets.equality == Equality::kEqual || !both) return sets;
      // "x = {1,2}" and "x in {1,2}".
      if ((IsAssignment(e_, a) || IsAssignment(e_, b)) && SameNames(a, b)) {
        return Values(a, b, nesting);
      }
      return SameRelations(&w_, a, b);
    }
    if (both) {
      const Comparison same = SameRelations(&w_, a, b);
      if (same.equality == Equality::kEqual) return same;
      if (IsAssignment(e_, a) && IsAssignment(e_, b)) {
        if (SameNames(a, b)) return Values(a, b, nesting);
        return {Equality::kDifferent, "another quantity"};
      }
      if (e_.Name(a) == e_.Name(b) && e_.Name(a).size() == 1) return same;
      return Values(a, b, nesting);
    }
    return Values(a, b, nesting);
  }

  bool SameNames(int a, int b) {
    return w_.Same(e_.Kid(a, 0), e_.Kid(b, 0)).equality == Equality::kEqual;
  }

  // Chains by the values that they give.
  Comparison Values(int a, int b, int nesting) {
    const int x = IsChain(e_, a) ? ValueOfChain(&w_, a) : a;
    const int y = IsChain(e_, b) ? ValueOfChain(&w_, b) : b;
    if (x < 0 || y < 0) return {Equality::kDifferent, "not the same relation"};
    return Same(x, y, nesting + 1);
  }

  Comparison Sets(int a, int b, int nesting) {
    const Nodes one = SymbolsOfChain(a);
    const Nodes two = SymbolsOfChain(b);
    if (!one.empty() && !two.empty() &&
        SymbolsIn(e_, one[0]) != SymbolsIn(e_, two[0])) {
      return {Equality::kDifferent, "another quantity"};
    }
    const int x = AsRealSet(&w_, a);
    const int y = AsRealSet(&w_, b);
    if (x >= 0 && y >= 0) return SameRealSets(&w_, x, y);
    const Op p = e_.OpOf(a);
    if (p != e_.OpOf(b)) return kIsDifferent;
    if (p == Op::kList) return Collections(a, b, nesting);
    if (p == Op::kChain || e_.nodes[a].count == 0) return kIsDifferent;
    return InOrder(a, b, nesting);
  }

  // The chain itself where its symbols matter for a comparison with another.
  Nodes SymbolsOfChain(int node) {
    return IsInequality(e_, node) ? Nodes{node} : Nodes();
  }

  Comparison InOrder(int a, int b, int nesting) {
    return InOrder(Nodes(e_.Kids(a).begin(), e_.Kids(a).end()),
                   Nodes(e_.Kids(b).begin(), e_.Kids(b).end()), nesting);
  }

  Comparison InOrder(const Nodes& a, const Nodes& b, int nesting) {
    if (a.size() != b.size()) {
      return {Equality::kDifferent, "another number of parts"};
    }
    Comparison all = kIsEqual;
    for (size_t i = 0; i < a.size(); ++i) {
      const Comparison same = Same(a[i], b[i], nesting + 1);
      if (same.equality == Equality::kDifferent) return same;
      if (same.equality == Equality::kUndecided) all = same;
    }
    return all;
  }

  // Elements of a collection, plus-minus written out, doubles as they are.
  Nodes Elements(int node) {
    Nodes elements;
    Nodes open = {node};
    while (!open.empty()) {
      const int next = open.back();
      open.pop_back();
      const int expanded = IsChain(e_, next) ? next : Expanded(next);
      const bool inner = expanded == node || expanded != next ||
                         e_.OpOf(expanded) == Op::kList;
      if (inner && IsCollection(e_.OpOf(expanded))) {
        const Nodes kids(e_.Kids(expanded).begin(), e_.Kids(expanded).end());
        open.insert(open.end(), kids.rbegin(), kids.rend());
      } else {
        elements.push_back(expanded);
      }
    }
    return Grouped(Continued(elements));
  }

  bool IsWhole(int node) {
    const ExactValue& value = w_.exact.At(node);
    return value.state == ValueState::kRational && value.value.get_den() == 1;
  }

  // "1, 3, ..., 9" as 1, 3, 5, 7, 9: whole numbers in even steps, of one where
  // only one stands in front. Others as they are.
  Nodes Continued(const Nodes& elements) {
    const size_t size = elements.size();
    if (size < 3) return elements;
    const int dots = elements[size - 2];
    if (!e_.IsSymbol(dots, "\\ldots") && !e_.IsSymbol(dots, "\\dots") &&
        !e_.IsSymbol(dots, "\\cdots")) {
      return elements;
    }
    std::vector<mpq_class> known;
    for (size_t i = 0; i < size; ++i) {
      if (i == size - 2) continue;
      if (!IsWhole(elements[i])) return elements;
      known.push_back(w_.exact.At(elements[i]).value);
    }
    const mpq_class last = known.back();
    known.pop_back();
    const mpq_class step =
        known.size() > 1 ? known[1] - known[0] : mpq_class(1);
    for (size_t i = 2; i < known.size(); ++i) {
      if (known[i] - known[i - 1] != step) return elements;
    }
    if (step == 0) return elements;
    const mpq_class more = (last - known.back()) / step;
    if (more.get_den() != 1 || more < 1 || more > kMaxContinued)
      return elements;
    Nodes all(elements.begin(), elements.end() - 2);
    mpq_class value = known.back();
    for (long i = more.get_num().get_si(); i > 0; --i) {
      value += step;
      all.push_back(e_.AddNumber(value));
    }
    return all;
  }

  // "p=5, q=2; p=7, q=2": names that come again begin a new tuple.
  Nodes Grouped(const Nodes& elements) {
    std::vector<std::string> names;
    for (const int element : elements) {
      if (!IsAssignment(e_, element) ||
          e_.OpOf(e_.Kid(element, 0)) != Op::kSymbol) {
        return elements;
      }
      names.push_back(e_.Name(e_.Kid(element, 0)));
    }
    const std::set<std::string> distinct(names.begin(), names.end());
    const size_t size = distinct.size();
    if (size < 2 || names.size() == size || names.size() % size != 0) {
      return elements;
    }
    Nodes groups;
    for (size_t i = 0; i < names.size(); i += size) {
      Nodes values;
      for (size_t k = 0; k < size; ++k) {
        if (names[i + k] != names[k]) return elements;
        values.push_back(ValueOfChain(&w_, elements[i + k]));
      }
      groups.push_back(e_.Add(Op::kTuple, values));
    }
    return groups;
  }

  // Values of "x = 1, y = 2" in order, where each has another name.
  bool Assigned(const Nodes& elements, Nodes* values) {
    std::set<std::string> names;
    for (const int element : elements) {
      if (!IsAssignment(e_, element) ||
          e_.OpOf(e_.Kid(element, 0)) != Op::kSymbol ||
          !names.insert(e_.Name(e_.Kid(element, 0))).second) {
        return false;
      }
      values->push_back(ValueOfChain(&w_, element));
    }
    return elements.size() > 1;
  }

  static bool HasNegative(const Nodes& nodes) {
    return std::any_of(nodes.begin(), nodes.end(),
                       [](int node) { return node < 0; });
  }

  Comparison Collections(int a, int b, int nesting) {
    const Op x = e_.OpOf(a);
    const Op y = e_.OpOf(b);
    if (x == Op::kTuple || y == Op::kTuple) {
      return ListForTuple(a, b, nesting);
    }
    if (x == Op::kMatrix || y == Op::kMatrix) return kIsDifferent;
    Nodes left = Elements(a);
    Nodes right = Elements(b);
    if (left.size() > kMaxElements || right.size() > kMaxElements) {
      return {Equality::kUndecided, "too many elements"};
    }
    const bool scalar = !IsCollection(x) || !IsCollection(y);
    if (scalar && (x == Op::kSet || y == Op::kSet)) return kIsDifferent;
    Nodes values;
    if (Assigned(left, &values) != Assigned(right, &values)) {
      Nodes& named = IsChain(e_, left[0]) ? left : right;
      const Nodes& bare = IsChain(e_, left[0]) ? right : left;
      const bool any = std::any_of(bare.begin(), bare.end(), [this](int node) {
        return IsChain(e_, node);
      });
      if (!any && !HasNegative(values)) {
        named = values;
        return InOrder(left, right, nesting);
      }
    }
    if (w_.policy.ordered_lists) return InOrder(left, right, nesting);
    return WithoutOrder(left, right, nesting);
  }

  // A list where a tuple is meant: "{1,3}" in TeX's braces shows no brackets.
  Comparison ListForTuple(int a, int b, int nesting) {
    const int list = e_.OpOf(a) == Op::kTuple ? b : a;
    const Op op = e_.OpOf(list);
    Nodes left =
        a == list ? Elements(a) : Nodes(e_.Kids(a).begin(), e_.Kids(a).end());
    Nodes right =
        b == list ? Elements(b) : Nodes(e_.Kids(b).begin(), e_.Kids(b).end());
    Nodes values;
    if (w_.policy.assignments_tuple && list == b && Assigned(right, &values) &&
        !HasNegative(values)) {
      return InOrder(left, values, nesting);
    }
    // Where the names are given, a tuple in their order says as much.
    if (list == a && Assigned(left, &values) && !HasNegative(values)) {
      return InOrder(values, right, nesting);
    }
    if (op == Op::kBraces || (w_.policy.drop_parentheses && op == Op::kList)) {
      return InOrder(left, right, nesting);
    }
    // A list of one tuple, given twice.
    if (op == Op::kList) {
      const Nodes whole = {list == a ? b : a};
      return list == a ? WithoutOrder(left, whole, nesting)
                       : WithoutOrder(whole, right, nesting);
    }
    return {Equality::kDifferent, "a list for a tuple"};
  }

  // Every element of each side has an equal one on the other.
  Comparison WithoutOrder(const Nodes& a, const Nodes& b, int nesting) {
    Comparison undecided = kIsEqual;
    std::vector<bool> found(b.size(), false);
    for (size_t i = 0; i < a.size(); ++i) {
      bool any = false;
      for (size_t k = 0; k < b.size(); ++k) {
        // The same place first: most lists are in order.
        const size_t j = (i + k) % b.size();
        if (any && found[j]) continue;
        const Comparison same = Same(a[i], b[j], nesting + 1);
        if (same.equality == Equality::kUndecided) undecided = same;
        if (same.equality != Equality::kEqual) continue;
        any = true;
        found[j] = true;
      }
      if (!any) {
        return undecided.equality == Equality::kUndecided
                   ? undecided
                   : Comparison{Equality::kDifferent, "an element is missing"};
      }
    }
    const bool all =
        std::all_of(found.begin(), found.end(), [](bool is) { return is; });
    if (all) return kIsEqual;
    return undecided.equality == Equality::kUndecided
               ? undecided
               : Comparison{Equality::kDifferent, "an element too many"};
  }

  // A column and a tuple.
  Comparison Vectors(int a, int b, int nesting) {
    const int matrix = e_.OpOf(a) == Op::kMatrix ? a : b;
    const int other = matrix == a ? b : a;
    const bool column = e_.nodes[matrix].payload == 1;
    if (w_.policy.vector_is_tuple && column && e_.OpOf(other) == Op::kTuple) {
      return InOrder(a, b, nesting);
    }
    return {Equality::kDifferent, "another shape"};
  }

  Workspace& w_;
  Expr& e_;
};

// What stands before the last element "k \in \mathbb{Z}" of a list.
struct Domain {
  int rest = -1;
  int symbol = -1;  // -1: there is no such element.
  int set = -1;
};

Domain DomainOf(Expr& e, int node) {
  if (e.OpOf(node) != Op::kList || e.nodes[node].count < 2) return {};
  const Nodes kids(e.Kids(node).begin(), e.Kids(node).end());
  const int last = kids.back();
  if (!IsChain(e, last) || e.Name(last) != std::string(1, kIn)) return {};
  const int symbol = e.Kid(last, 0);
  const int set = e.Kid(last, 1);
  if (e.OpOf(symbol) != Op::kSymbol || e.OpOf(set) != Op::kSymbol) return {};
  const int rest = kids.size() == 2
                       ? kids[0]
                       : e.Add(Op::kList, Nodes(kids.begin(), kids.end() - 1),
                               0, e.nodes[node].flags);
  return {.rest = rest, .symbol = symbol, .set = set};
}

}  // namespace

Comparison SameAnswers(Workspace* w, int gold, int prediction) {
  // "2k\pi, k \in \mathbb{Z}": the name of k does not matter.
  const Domain ours = DomainOf(w->e, gold);
  const Domain theirs = DomainOf(w->e, prediction);
  if (ours.symbol >= 0 && theirs.symbol >= 0) {
    if (w->e.Name(ours.set) != w->e.Name(theirs.set)) return kIsDifferent;
    const int renamed =
        w->e.Substitute(theirs.rest, theirs.symbol, ours.symbol);
    return Comparer(w).Same(ours.rest, renamed, 0);
  }
  if (ours.symbol >= 0) return Comparer(w).Same(ours.rest, prediction, 0);
  return Comparer(w).Same(gold, prediction, 0);
}

}  // namespace cohort
