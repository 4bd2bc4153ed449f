// Runs a template.
//
// Functions of the template (itself, macros, the bodies of call blocks,
// recursive loops) have their variables in an Activation each; a macro sees the
// variables around it through the activation it was defined in. What a render
// makes that may refer to itself (activations that macros see, namespaces,
// loops) is owned here and goes when the render ends.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/jinja/ast.h"
#include "model/jinja/loop.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

struct RunLimits {
  // One per expression and statement, and one per 32 bytes or item that an
  // operation goes through.
  int64_t steps;
};

struct Rendered {
  std::string text;
  // Of each {% generation %} block: its characters, [begin, end).
  std::vector<std::pair<int64_t, int64_t>> generated;
};

class Interpreter {
 public:
  // `root`: a tree whose names are resolved; must outlive this. `variables`:
  // what the template is given. `now`: for strftime_now, in local time.
  Interpreter(const Node& root, std::map<std::string, Value> variables,
              absl::Time now, const RunLimits& limits);
  ~Interpreter();

  // Runs once. kInvalidArgument: "line N: TypeError: ..."; kResourceExhausted:
  // a limit was reached.
  absl::StatusOr<Rendered> Run();

 private:
  struct Activation {
    std::vector<Value> slots;
    Activation* outer = nullptr;
    bool is_seen = false;  // By a macro or a loop: lives as the render does.
  };
  enum class Flow { kGoOn, kBreak, kContinue };
  using FlowResult = absl::StatusOr<Flow>;

  // Statements.
  FlowResult Execute(const Node& node, Activation* activation);
  FlowResult ExecuteInside(const Node& node, Activation* activation);
  FlowResult ExecuteBody(const Node& body, Activation* activation);
  FlowResult ExecuteIf(const Node& node, Activation* activation);
  absl::Status Output(const Node& node, Activation* activation);
  Result EvaluateOutput(const Node& node, Activation* activation);
  absl::Status Set(const Node& node, Activation* activation);
  FlowResult SetBlock(const Node& node, Activation* activation);
  FlowResult FilterBlock(const Node& node, Activation* activation);
  absl::Status Define(const Node& node, Activation* activation);
  absl::Status CallBlock(const Node& node, Activation* activation);
  absl::Status Generation(const Node& node, Activation* activation);
  FlowResult With(const Node& node, Activation* activation);
  absl::Status Block(const Node& node);
  FlowResult Autoescape(const Node& node, Activation* activation);
  absl::Status For(const Node& node, Activation* activation);
  absl::Status RunLoop(const Node& node, LoopObject* loop,
                       Activation* activation);
  Result RunRecursiveLoop(const Node& node, const Value& items, int64_t depth0,
                          Activation* outer);
  absl::StatusOr<LoopObject*> MakeLoop(const Node& node, const Value& items,
                                       Activation* activation);
  Value FilterItems(const Node& node, const Value& items,
                    Activation* activation);

  void Enter(const Scope& scope, Activation* activation);
  void Leave(const Scope& scope, Activation* activation);
  absl::Status Assign(const Node& target, const Value& value,
                      Activation* activation);
  absl::Status CheckNamespaces(const Node& target, Activation* activation);
  void Export(const Node& target, Activation* activation);
  // Runs `body`; what it writes goes to *text.
  FlowResult Capture(const Node& body, Activation* activation,
                     std::string* text);

  // Expressions.
  Result Evaluate(const Node& node, Activation* activation);
  Result EvaluateInside(const Node& node, Activation* activation);
  Result EvaluateItems(const Node& node, Activation* activation);
  Result EvaluateDict(const Node& node, Activation* activation);
  Result EvaluateCompare(const Node& node, Activation* activation);
  Result EvaluateConcat(const Node& node, Activation* activation);
  Result EvaluateCondition(const Node& node, Activation* activation);
  Result EvaluateItem(const Node& node, Activation* activation);
  Result EvaluateOperator(const Node& node, Activation* activation);
  Result EvaluateFilter(const Node& node, const Value* body,
                        Activation* activation);
  Result EvaluateTest(const Node& node, Activation* activation);
  Result EvaluateCall(const Node& node, const Value* caller,
                      Activation* activation);
  absl::Status EvaluateArguments(const Node& node, Activation* activation,
                                 Arguments* arguments);
  Result Load(const Node& name, Activation* activation);

  // Calls.
  Result Call(const Value& callee, Arguments& arguments);
  Value MakeMacro(const Node& node, Activation* activation);
  Result CallMacro(const Node& node, Activation* outer, Arguments& arguments);
  absl::StatusOr<std::vector<Value>> MacroArguments(const Node& node,
                                                    Arguments& arguments);
  absl::Status CheckLeftOver(const Node& node, const Arguments& arguments);

  // The template's own functions.
  void AddGlobals(absl::Time now);
  Result MakeNamespace(Arguments& arguments);

  Value* At(const Slot& slot, Activation* activation);
  // A null that says: this variable is not there.
  static Value Missing() { return Value::Of(Kind::kUndefined, nullptr); }
  static bool IsMissing(const Value& value) {
    return value.Is(Kind::kUndefined) && value.object() == nullptr;
  }
  Value Resolve(const std::string& name) const;
  std::unique_ptr<Activation> MakeActivation(int slots, Activation* outer);
  // Makes it and those around it last as long as the render.
  static void Keep(Activation* activation);
  void Finish(std::unique_ptr<Activation> activation);

  absl::Status Spend(int64_t steps);
  absl::Status SpendOn(const Value& value);

  const Node& root_;
  std::map<std::string, Value> variables_;
  std::map<std::string, Value> globals_;
  int64_t steps_left_;
  int depth_ = 0;
  int error_line_ = 0;
  // Jinja computes what it can before it renders, and looks slices up as items
  // then: one that Python refuses is undefined instead of an error.
  bool is_folding_ = false;
  bool escapes_ = false;  // Inside {% autoescape true %}.

  std::string text_;           // What the template itself has written.
  std::string* out_ = &text_;  // Where it writes now.
  std::vector<std::pair<int64_t, int64_t>> generated_;

  std::vector<std::unique_ptr<Activation>> activations_;
  std::deque<NamespaceObject> namespaces_;
  std::deque<LoopObject> loops_;
};

// Names that a template may call, apart from the namespace's: range, dict,
// cycler, joiner, raise_exception, strftime_now.
std::map<std::string, Value> MakeFunctions(absl::Time now);

}  // namespace cohort::jinja
