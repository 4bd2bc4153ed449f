// A template as a tree.
//
// One kind of node for all: what its fields hold follows from its type. Where a
// field's order matters (names are resolved in the order in which Jinja meets
// them), it is the order of the fields below.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/jinja/value.h"

namespace cohort::jinja {

enum class NodeType : uint8_t {
  // Expressions.
  kConstant,            // value; flag: the template's own text
  kName,                // name; mode, slot
  kNamespaceAttribute,  // text.name as a target; slot of the namespace
  kTuple,               // items
  kList,                // items
  kDict,                // items: keys and values by turns
  kCondition,  // first: test, second: if true, third: otherwise, or null
  kAnd,        // first, second
  kOr,         // first, second
  kNot,        // first
  kCompare,    // first, items: kOperand each
  kOperand,    // text: operator, first
  kOperator,   // text: one of + - * / // % **; first, second
  kSign,       // text: - or +; first
  kConcat,     // items
  kAttribute,  // first.text
  kItem,       // first[second]
  kSlice,      // first:second:third, each may be null; second of a kItem only
  kCall,       // first(items, keywords, *more_items, **more_keywords)
  kFilter,     // first|text(...); first is null for the body of a block
  kTest,       // first is text(...)
  kKeyword,    // text=first
  // Statements.
  kBody,        // items
  kOutput,      // items
  kSet,         // first: target, second: value; flag: at top level
  kSetBlock,    // first: target, second: filter or null, body; flag; scope
  kFor,         // first: target, second: iterable, third: test or null, body,
                // otherwise or null; flag: recursive; scope, test_scope,
                // else_scope
  kIf,          // first: test, body, items: kIf of each elif, otherwise or null
  kMacro,       // text: name, items: parameters, defaults, body; scope
  kCallBlock,   // first: kCall, items: parameters, defaults, body; scope
  kGeneration,  // body; scope
  kFilterBlock,  // body, second: filter; scope
  kWith,         // items: targets, defaults: values, body; scope
  kBlock,        // text: name, body; flag: scoped; scope
  kAutoescape,   // first, body; scope
  kRefused,      // text: why; include, import, extends
  kBreak,
  kContinue,
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

enum class NameMode : uint8_t { kLoad, kStore, kParameter };

// A variable: the function `hops` outwards, and its place there.
struct Slot {
  int hops = 0;
  int index = -1;
};

// What is done to a scope's variables when it is entered.
struct Load {
  enum Action : uint8_t {
    kParameter,  // Nothing: it has been set.
    kResolve,    // The context's variable of that name.
    kAlias,      // What an outer variable holds.
    kNothing,    // It is not there until it is set.
  };
  std::string name;
  Action action = kNothing;
  Slot target;
  Slot source;  // For kAlias.
};

struct Scope {
  std::vector<Load> loads;
  // A scope with a function of its own: how many variables it needs.
  int function_slots = 0;
};

struct Node {
  NodeType type;
  int line = 0;
  int height = 1;  // Of the tree under it; bounded, so walks may recurse.
  bool has_slice = false;  // Or something under it.
  std::string text;
  Value value;
  NameMode mode = NameMode::kLoad;
  bool flag = false;
  Slot slot;

  NodePtr first;
  NodePtr second;
  NodePtr third;
  std::vector<NodePtr> items;
  std::vector<NodePtr> keywords;
  NodePtr more_items;
  NodePtr more_keywords;
  std::vector<NodePtr> defaults;
  NodePtr body;
  NodePtr otherwise;

  Scope scope;
  Scope test_scope;
  Scope else_scope;
  // Of a for: where `loop` is, if its body speaks of it. Of a macro: the
  // parameters, then those of "caller", "kwargs" and "varargs" it speaks of.
  std::vector<Slot> parameters;
  bool takes_caller = false;
  bool takes_kwargs = false;
  bool takes_varargs = false;
  // Of a for with a test: the target again, as the test's function sees it.
  NodePtr test_target;
};

NodePtr MakeNode(NodeType type, int line);

// Whether Jinja may compute this much of an expression before it renders: it is
// no name, no call, and no filter that asks for the context.
bool IsKnownBeforeRender(const Node& expression);

// A copy of an assignment target: names and tuples of them.
NodePtr CopyTarget(const Node& target);

// Calls `visit` with every child, in order.
template <typename Visit>
void ForEachChild(const Node& node, Visit visit) {
  for (const NodePtr* child : {&node.first, &node.second, &node.third}) {
    if (*child != nullptr) visit(**child);
  }
  for (const auto* list : {&node.items, &node.keywords}) {
    for (const NodePtr& child : *list) visit(*child);
  }
  for (const NodePtr* child : {&node.more_items, &node.more_keywords}) {
    if (*child != nullptr) visit(**child);
  }
  for (const NodePtr& child : node.defaults) visit(*child);
  for (const NodePtr* child : {&node.body, &node.otherwise}) {
    if (*child != nullptr) visit(**child);
  }
}

}  // namespace cohort::jinja
