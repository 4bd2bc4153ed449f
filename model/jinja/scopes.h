// Finds for every name of a template the variable that it means.
//
// Jinja turns a template into Python functions, and its scopes follow from
// that: a for, a macro, a with open one of their own, an if does not; a scope
// that sets a variable of an outer one gets a copy at its beginning; a macro
// sees the outer variables as they are when it runs. The rules here are those
// of Jinja 3.1.6's idtracking.py and compiler.py.
#pragma once

#include "absl/status/status.h"
#include "model/jinja/ast.h"

namespace cohort::jinja {

// Fills in slots and scopes of the whole tree; `root->scope` is the template's
// own. Also refuses what Jinja refuses when it compiles: a filter or a test
// that does not exist outside of an if, an assignment to `loop` in a for.
// kInvalidArgument: "line N: ...".
absl::Status ResolveNames(Node* root);

}  // namespace cohort::jinja
