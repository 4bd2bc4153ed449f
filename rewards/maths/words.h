// The vocabulary of answers: commands of LaTeX, names of functions, words.
#pragma once

#include <optional>
#include <string_view>

#include "rewards/maths/expr.h"

namespace cohort {

// \left, \displaystyle, \quad, ...: they change nothing but the looks.
bool IsLayoutCommand(std::string_view name);

// \text, \mathrm, ...: what stands in their braces is a text.
bool IsTextCommand(std::string_view name);

// One command for the opening or closing of an environment: "[matrix" and
// "]matrix", "[det" and "]det", "[cases" and "]cases"; "&" for alignments,
// which only lay out. Empty for an unknown one.
std::string_view EnvironmentToken(std::string_view environment, bool opens);

// Whether `word` stands for something in a formula: sin, pi, and, mod, ...
bool IsKnownWord(std::string_view word);

// Letters at the front of `run` that are one token: a known word, a unit where
// it stands `after_number`, a long word; else 1.
size_t WordAtFront(std::string_view run, bool after_number);

// sin, \operatorname{lcm}, arctan, ...
std::optional<Function> FunctionNamed(std::string_view name);

// How many letters at the front of a name that is no command are one:
// "\vertx" is "\vert x". 0 where none are.
size_t CommandAtFront(std::string_view name);

// \alpha, \theta, ...: a command that is a symbol.
bool IsSymbolCommand(std::string_view name);

// "\cup", "\le", ... -> what they say in a chain; 0 for none.
char RelationNamed(std::string_view command);

// "and", "or", "and/or": 'a', 'o'; 0 for another text.
char JoinerNamed(std::string_view text);

// million -> 1000000; 0 for another text.
long MultiplierNamed(std::string_view text);

}  // namespace cohort
