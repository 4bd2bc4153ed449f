#include "rewards/maths/expr.h"

#include <algorithm>
#include <utility>

namespace cohort {
namespace {

bool HasName(Op op) {
  return op == Op::kSymbol || op == Op::kText || op == Op::kCall ||
         op == Op::kBased || op == Op::kQuantity || op == Op::kChain;
}

}  // namespace

int Expr::Add(Op op, absl::Span<const int32_t> kids, int payload,
              uint8_t flags) {
  const int first = static_cast<int>(children.size());
  // `kids` may lie in `children` itself.
  const std::vector<int32_t> copy(kids.begin(), kids.end());
  children.insert(children.end(), copy.begin(), copy.end());
  nodes.push_back({.op = op,
                   .flags = flags,
                   .payload = payload,
                   .first = first,
                   .count = static_cast<int>(copy.size())});
  return static_cast<int>(nodes.size()) - 1;
}

int Expr::AddNumber(mpq_class value, uint8_t flags, int decimal_digits) {
  numbers.push_back(std::move(value));
  decimals.push_back(decimal_digits);
  return Add(Op::kNumber, {}, static_cast<int>(numbers.size()) - 1, flags);
}

int Expr::AddNamed(Op op, std::string_view name, absl::Span<const int32_t> kids,
                   uint8_t flags) {
  names.emplace_back(name);
  return Add(op, kids, static_cast<int>(names.size()) - 1, flags);
}

int Expr::AddFunction(Function function, absl::Span<const int32_t> kids) {
  return Add(Op::kFunction, kids, static_cast<int>(function));
}

std::vector<bool> Expr::Reached(int root) const {
  std::vector<bool> reached(root + 1, false);
  reached[root] = true;
  for (int i = root; i >= 0; --i) {
    if (!reached[i]) continue;
    for (const int kid : Kids(i)) reached[kid] = true;
  }
  return reached;
}

size_t Expr::TreeSize(int root) const {
  const std::vector<bool> reached = Reached(root);
  return static_cast<size_t>(std::count(reached.begin(), reached.end(), true));
}

int Expr::Import(const Expr& from, int root) {
  const std::vector<bool> reached = from.Reached(root);
  std::vector<int32_t> place(root + 1, -1);
  for (int i = 0; i <= root; ++i) {
    if (!reached[i]) continue;
    const Node node = from.nodes[i];
    std::vector<int32_t> kids;
    for (const int kid : from.Kids(i)) kids.push_back(place[kid]);
    if (node.op == Op::kNumber) {
      const int digits = from.decimals[node.payload];
      place[i] = AddNumber(mpq_class(from.Number(i)), node.flags, digits);
    } else if (HasName(node.op)) {
      const std::string name = from.Name(i);
      place[i] = AddNamed(node.op, name, kids, node.flags);
    } else {
      place[i] = Add(node.op, kids, node.payload, node.flags);
    }
  }
  return place[root];
}

int Expr::Substitute(int root, int symbol, int with) {
  const Op op = OpOf(symbol);
  const std::string name = op == Op::kSymbol ? Name(symbol) : "";
  const std::vector<bool> reached = Reached(root);
  std::vector<int32_t> place(root + 1, -1);
  for (int i = 0; i <= root; ++i) {
    if (!reached[i]) continue;
    if (OpOf(i) == op && (op != Op::kSymbol || Name(i) == name)) {
      place[i] = with;
      continue;
    }
    std::vector<int32_t> kids;
    bool same = true;
    for (const int kid : Kids(i)) {
      kids.push_back(place[kid]);
      same = same && place[kid] == kid;
    }
    const Node node = nodes[i];
    // A node that keeps its children is shared, not copied.
    place[i] = same ? i : Add(node.op, kids, node.payload, node.flags);
  }
  return place[root];
}

}  // namespace cohort
