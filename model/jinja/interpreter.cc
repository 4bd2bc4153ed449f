#include "model/jinja/interpreter.h"

#include <algorithm>
#include <utility>

#include "model/jinja/callable.h"
#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// Expressions, statements and calls inside each other. Python ends at about
// the same depth of macros that call themselves; the stack holds far more.
constexpr int kMaxDepth = 1200;

constexpr int64_t kStepsOfMacro = 50;

}  // namespace

Interpreter::Interpreter(const Node& root,
                         std::map<std::string, Value> variables, absl::Time now,
                         const RunLimits& limits)
    : root_(root),
      variables_(std::move(variables)),
      globals_(MakeFunctions(now)),
      steps_left_(limits.steps) {
  globals_["namespace"] = MakeCallable(
      "namespace",
      [this](Arguments& arguments) { return MakeNamespace(arguments); });
}

Interpreter::~Interpreter() {
  // Values may point at what is destroyed beside them, but own none of it.
  for (const auto& activation : activations_) activation->slots.clear();
  for (NamespaceObject& space : namespaces_) space.attributes.clear();
}

absl::StatusOr<Rendered> Interpreter::Run() {
  auto activation = MakeActivation(root_.scope.function_slots, nullptr);
  Enter(root_.scope, activation.get());
  const absl::Status status = ToStatus(Execute(root_, activation.get()));
  Finish(std::move(activation));
  if (!status.ok()) {
    return absl::Status(status.code(),
                        Cat("line ", error_line_, ": ", status.message()));
  }
  return Rendered{std::move(text_), std::move(generated_)};
}

absl::Status Interpreter::Spend(int64_t steps) {
  steps_left_ -= steps;
  if (steps_left_ >= 0) return absl::OkStatus();
  return absl::ResourceExhaustedError("the template takes too many steps");
}

// A text by its length, a container by the number of its items.
absl::Status Interpreter::SpendOn(const Value& value) {
  switch (value.kind()) {
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kIterator:
      return Spend(value.weight());
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
      return Spend(*Length(value));
    default:
      return absl::OkStatus();
  }
}

Value* Interpreter::At(const Slot& slot, Activation* activation) {
  for (int i = 0; i < slot.hops; ++i) activation = activation->outer;
  return &activation->slots[static_cast<size_t>(slot.index)];
}

Value Interpreter::Resolve(const std::string& name) const {
  for (const auto* names : {&variables_, &globals_}) {
    const auto found = names->find(name);
    if (found != names->end()) return found->second;
  }
  return Missing();
}

std::unique_ptr<Interpreter::Activation> Interpreter::MakeActivation(
    int slots, Activation* outer) {
  auto activation = std::make_unique<Activation>();
  activation->slots.assign(static_cast<size_t>(slots), Missing());
  activation->outer = outer;
  return activation;
}

void Interpreter::Keep(Activation* activation) {
  for (; activation != nullptr; activation = activation->outer) {
    activation->is_seen = true;
  }
}

void Interpreter::Finish(std::unique_ptr<Activation> activation) {
  if (activation->is_seen) activations_.push_back(std::move(activation));
}

void Interpreter::Enter(const Scope& scope, Activation* activation) {
  for (const struct Load& load : scope.loads) {
    switch (load.action) {
      case Load::kParameter:
        break;
      case Load::kResolve:
        *At(load.target, activation) = Resolve(load.name);
        break;
      case Load::kAlias:
        *At(load.target, activation) = *At(load.source, activation);
        break;
      case Load::kNothing:
        *At(load.target, activation) = Missing();
        break;
    }
  }
}

void Interpreter::Leave(const Scope& scope, Activation* activation) {
  for (const struct Load& load : scope.loads) {
    *At(load.target, activation) = Missing();
  }
}

Interpreter::FlowResult Interpreter::Execute(const Node& node,
                                             Activation* activation) {
  COHORT_RETURN_IF_ERROR(Spend(1));
  FlowResult result =
      ++depth_ > kMaxDepth
          ? FlowResult(
                Error("RecursionError", "maximum recursion depth exceeded"))
          : ExecuteInside(node, activation);
  --depth_;
  if (!result.ok() && error_line_ == 0) error_line_ = node.line;
  return result;
}

Result Interpreter::Evaluate(const Node& node, Activation* activation) {
  if (node.type == NodeType::kConstant) return node.value;
  COHORT_RETURN_IF_ERROR(Spend(1));
  Result result =
      ++depth_ > kMaxDepth
          ? Result(Error("RecursionError", "maximum recursion depth exceeded"))
          : EvaluateInside(node, activation);
  --depth_;
  if (!result.ok() && error_line_ == 0) error_line_ = node.line;
  return result;
}

Value Interpreter::MakeMacro(const Node& node, Activation* activation) {
  Keep(activation);
  steps_left_ -= kStepsOfMacro;
  auto macro = std::make_shared<AttributedCallable>();
  macro->name = node.text;
  macro->type = "Macro";
  macro->call = [this, &node, activation](Arguments& arguments) {
    return CallMacro(node, activation, arguments);
  };
  std::vector<Value> parameters;
  for (const NodePtr& parameter : node.items) {
    parameters.push_back(Value::String(parameter->text));
  }
  // No more of them than a tree has: always a tuple.
  macro->attributes = {
      {"name", node.text.empty() ? Value::None() : Value::String(node.text)},
      {"arguments", *MakeTuple(std::move(parameters))},
      {"catch_kwargs", Value::Bool(node.takes_kwargs)},
      {"catch_varargs", Value::Bool(node.takes_varargs)},
      {"caller", Value::Bool(node.takes_caller)}};
  return Value::Of(Kind::kCallable, std::move(macro));
}

Result Interpreter::MakeNamespace(Arguments& arguments) {
  COHORT_RETURN_IF_ERROR(Spend(kStepsOfMacro));
  COHORT_ASSIGN_OR_RETURN(const Value dict, Call(globals_["dict"], arguments));
  NamespaceObject& space = namespaces_.emplace_back();
  for (const auto& [key, value] : dict.dict().entries) {
    if (!key.Is(Kind::kString)) continue;  // No name reaches it.
    if (!key.text().empty() && key.text()[0] == '_') {
      return Error("SecurityError", Cat("Chat templates cannot store "
                                        "underscore-prefixed attributes on a "
                                        "namespace, but got ",
                                        Quote(key.text())));
    }
    space.Set(key.text(), value);
  }
  // Owned here: namespaces may hold each other.
  return Value::Of(Kind::kNamespace,
                   std::shared_ptr<Object>(std::shared_ptr<Object>(), &space));
}

}  // namespace cohort::jinja
