// Equations, inequalities and what they say about a value.
#pragma once

#include <string>
#include <vector>

#include "rewards/maths/scalar.h"

namespace cohort {

// Whether the node names a quantity, as x, f(x), AB, |AB| and (x, y) do.
bool IsName(const Expr& e, int node);

bool IsChain(const Expr& e, int node);
// "name = value": a chain of nothing but = and "about" behind a name.
bool IsAssignment(const Expr& e, int node);
// A chain of <, <=, >, >= only.
bool IsInequality(const Expr& e, int node);

// What the chain says its left side is: of "x = 5", "5 = x", "\log_2 8 = 3",
// "x = 1/3 \approx 0.33" and "x \in S" the 5, 5, 3, 1/3 and S. -1 where it says
// no such thing, or where its sides without a name are not equal.
int ValueOfChain(Workspace* w, int chain);

// Whether two chains of the same length are the same relation: sides equal, or
// for one relation the differences of the sides proportional.
Comparison SameRelations(Workspace* w, int a, int b);

// Names of the symbols in the tree at `root`, each once, in order.
std::vector<std::string> SymbolsIn(const Expr& e, int root);

}  // namespace cohort
