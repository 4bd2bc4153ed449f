// How statements run.
#include <algorithm>

#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/interpreter.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {

Interpreter::FlowResult Interpreter::ExecuteInside(const Node& node,
                                                   Activation* activation) {
  switch (node.type) {
    case NodeType::kBody:
      return ExecuteBody(node, activation);
    case NodeType::kIf:
      return ExecuteIf(node, activation);
    case NodeType::kBreak:
      return Flow::kBreak;
    case NodeType::kContinue:
      return Flow::kContinue;
    case NodeType::kSetBlock:
      return SetBlock(node, activation);
    case NodeType::kFilterBlock:
      return FilterBlock(node, activation);
    case NodeType::kWith:
      return With(node, activation);
    case NodeType::kAutoescape:
      return Autoescape(node, activation);
    default:
      break;
  }
  absl::Status status;
  switch (node.type) {
    case NodeType::kOutput:
      status = Output(node, activation);
      break;
    case NodeType::kSet:
      status = Set(node, activation);
      break;
    case NodeType::kFor:
      status = For(node, activation);
      break;
    case NodeType::kMacro:
      status = Define(node, activation);
      break;
    case NodeType::kCallBlock:
      status = CallBlock(node, activation);
      break;
    case NodeType::kGeneration:
      status = Generation(node, activation);
      break;
    case NodeType::kBlock:
      status = Block(node);
      break;
    default:
      status = absl::InvalidArgumentError(node.text);
  }
  if (!status.ok()) return status;
  return Flow::kGoOn;
}

Interpreter::FlowResult Interpreter::ExecuteBody(const Node& body,
                                                 Activation* activation) {
  for (const NodePtr& statement : body.items) {
    COHORT_ASSIGN_OR_RETURN(const Flow flow, Execute(*statement, activation));
    if (flow != Flow::kGoOn) return flow;
  }
  return Flow::kGoOn;
}

Interpreter::FlowResult Interpreter::ExecuteIf(const Node& node,
                                               Activation* activation) {
  COHORT_ASSIGN_OR_RETURN(const Value test, Evaluate(*node.first, activation));
  if (IsTrue(test)) return Execute(*node.body, activation);
  for (const NodePtr& other : node.items) {
    COHORT_ASSIGN_OR_RETURN(const Value holds,
                            Evaluate(*other->first, activation));
    if (IsTrue(holds)) return Execute(*other->body, activation);
  }
  if (node.otherwise == nullptr) return Flow::kGoOn;
  return Execute(*node.otherwise, activation);
}

Result Interpreter::EvaluateOutput(const Node& node, Activation* activation) {
  if (node.has_slice) {
    is_folding_ = true;
    Result folded = Evaluate(node, activation);
    is_folding_ = false;
    if (folded.ok()) return folded;
    // What cannot be folded is left for the render.
    error_line_ = 0;
  }
  return Evaluate(node, activation);
}

absl::Status Interpreter::Output(const Node& node, Activation* activation) {
  for (const NodePtr& item : node.items) {
    COHORT_ASSIGN_OR_RETURN(const Value value,
                            EvaluateOutput(*item, activation));
    COHORT_ASSIGN_OR_RETURN(std::string text, Str(value));
    const bool is_data = item->flag && item->type == NodeType::kConstant;
    const bool is_safe = is_data || (value.Is(Kind::kString) && value.markup());
    *out_ += escapes_ && !is_safe ? EscapeHtml(text) : text;
    COHORT_RETURN_IF_ERROR(Spend(static_cast<int64_t>(text.size() / 32)));
    if (out_->size() > kMaxStringBytes) {
      return absl::ResourceExhaustedError("a text grows too large");
    }
  }
  return absl::OkStatus();
}

Interpreter::FlowResult Interpreter::Capture(const Node& body,
                                             Activation* activation,
                                             std::string* text) {
  std::string* const outer = std::exchange(out_, text);
  FlowResult flow = Execute(body, activation);
  out_ = outer;
  return flow;
}

absl::Status Interpreter::CheckNamespaces(const Node& target,
                                          Activation* activation) {
  if (target.type == NodeType::kNamespaceAttribute &&
      !At(target.slot, activation)->Is(Kind::kNamespace)) {
    return Error("TemplateRuntimeError",
                 "cannot assign attribute on non-namespace object");
  }
  for (const NodePtr& item : target.items) {
    COHORT_RETURN_IF_ERROR(CheckNamespaces(*item, activation));
  }
  return absl::OkStatus();
}

absl::Status Interpreter::Assign(const Node& target, const Value& value,
                                 Activation* activation) {
  if (target.type == NodeType::kName) {
    *At(target.slot, activation) = value;
    return absl::OkStatus();
  }
  if (target.type == NodeType::kNamespaceAttribute) {
    const Value& space = *At(target.slot, activation);
    const std::string& name = target.value.text();
    if (!space.Is(Kind::kNamespace)) {
      return Error("TemplateRuntimeError",
                   "cannot assign attribute on non-namespace object");
    }
    if (name[0] == '_') {
      return Error("SecurityError", Cat("Chat templates cannot store "
                                        "underscore-prefixed attributes on a "
                                        "namespace, but got ",
                                        Quote(name)));
    }
    space.As<NamespaceObject>().Set(name, value);
    return absl::OkStatus();
  }
  if (!value.Is(Kind::kUndefined) && !Iterate(value).ok()) {
    return TypeError(
        Cat("cannot unpack non-iterable ", TypeName(value), " object"));
  }
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> values, Items(value));
  if (values.size() < target.items.size()) {
    return ValueError(Cat("not enough values to unpack (expected ",
                          target.items.size(), ", got ", values.size(), ")"));
  }
  if (values.size() > target.items.size()) {
    return ValueError(
        Cat("too many values to unpack (expected ", target.items.size(), ")"));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    COHORT_RETURN_IF_ERROR(Assign(*target.items[i], values[i], activation));
  }
  return absl::OkStatus();
}

// What is set at the top is seen by name, also from blocks.
void Interpreter::Export(const Node& target, Activation* activation) {
  if (target.type == NodeType::kName) {
    variables_[target.text] = *At(target.slot, activation);
  }
  for (const NodePtr& item : target.items) Export(*item, activation);
}

absl::Status Interpreter::Set(const Node& node, Activation* activation) {
  COHORT_RETURN_IF_ERROR(CheckNamespaces(*node.first, activation));
  COHORT_ASSIGN_OR_RETURN(const Value value,
                          Evaluate(*node.second, activation));
  COHORT_RETURN_IF_ERROR(Assign(*node.first, value, activation));
  if (node.flag) Export(*node.first, activation);
  return absl::OkStatus();
}

Interpreter::FlowResult Interpreter::SetBlock(const Node& node,
                                              Activation* activation) {
  Enter(node.scope, activation);
  std::string text;
  COHORT_ASSIGN_OR_RETURN(const Flow flow,
                          Capture(*node.body, activation, &text));
  // A break inside leaves the loop before anything is set.
  if (flow != Flow::kGoOn) return flow;
  Value value = Value::String(std::move(text), escapes_);
  if (node.second != nullptr) {
    COHORT_ASSIGN_OR_RETURN(value,
                            EvaluateFilter(*node.second, &value, activation));
  }
  COHORT_RETURN_IF_ERROR(Assign(*node.first, value, activation));
  if (node.flag) Export(*node.first, activation);
  Leave(node.scope, activation);
  return Flow::kGoOn;
}

Interpreter::FlowResult Interpreter::FilterBlock(const Node& node,
                                                 Activation* activation) {
  Enter(node.scope, activation);
  std::string text;
  COHORT_ASSIGN_OR_RETURN(const Flow flow,
                          Capture(*node.body, activation, &text));
  if (flow != Flow::kGoOn) return flow;
  const Value body = Value::String(std::move(text), escapes_);
  COHORT_ASSIGN_OR_RETURN(const Value value,
                          EvaluateFilter(*node.second, &body, activation));
  COHORT_ASSIGN_OR_RETURN(const std::string filtered, Str(value));
  *out_ += filtered;
  Leave(node.scope, activation);
  return Flow::kGoOn;
}

absl::Status Interpreter::Define(const Node& node, Activation* activation) {
  const Value macro = MakeMacro(node, activation);
  *At(node.slot, activation) = macro;
  if (node.flag) variables_[node.text] = macro;
  return absl::OkStatus();
}

absl::Status Interpreter::CallBlock(const Node& node, Activation* activation) {
  const Value caller = MakeMacro(node, activation);
  COHORT_ASSIGN_OR_RETURN(const Value result,
                          EvaluateCall(*node.first, &caller, activation));
  COHORT_ASSIGN_OR_RETURN(const std::string text, Str(result));
  *out_ += text;
  return absl::OkStatus();
}

absl::Status Interpreter::Generation(const Node& node, Activation* activation) {
  // Counted from what the template itself has written so far: a block inside a
  // macro is placed where the macro's text will be.
  const int64_t begin = CountCharacters(text_);
  Arguments none;
  COHORT_RETURN_IF_ERROR(Spend(static_cast<int64_t>(text_.size() / 32)));
  COHORT_ASSIGN_OR_RETURN(const Value text, CallMacro(node, activation, none));
  generated_.emplace_back(begin, begin + CountCharacters(text.text()));
  *out_ += text.text();
  return absl::OkStatus();
}

Interpreter::FlowResult Interpreter::With(const Node& node,
                                          Activation* activation) {
  Enter(node.scope, activation);
  for (size_t i = 0; i < node.items.size(); ++i) {
    COHORT_ASSIGN_OR_RETURN(const Value value,
                            Evaluate(*node.defaults[i], activation));
    COHORT_RETURN_IF_ERROR(Assign(*node.items[i], value, activation));
  }
  COHORT_ASSIGN_OR_RETURN(const Flow flow, Execute(*node.body, activation));
  Leave(node.scope, activation);
  return flow;
}

absl::Status Interpreter::Block(const Node& node) {
  auto activation = MakeActivation(node.scope.function_slots, nullptr);
  Enter(node.scope, activation.get());
  const absl::Status status = ToStatus(Execute(*node.body, activation.get()));
  Finish(std::move(activation));
  return status;
}

Interpreter::FlowResult Interpreter::Autoescape(const Node& node,
                                                Activation* activation) {
  Enter(node.scope, activation);
  COHORT_ASSIGN_OR_RETURN(const Value on, Evaluate(*node.first, activation));
  const bool outer = std::exchange(escapes_, IsTrue(on));
  COHORT_ASSIGN_OR_RETURN(const Flow flow, Execute(*node.body, activation));
  escapes_ = outer;
  Leave(node.scope, activation);
  return flow;
}

// The items for which the test of a for holds, one after the other.
Value Interpreter::FilterItems(const Node& node, const Value& items,
                               Activation* activation) {
  std::shared_ptr<IteratorObject> source;
  std::shared_ptr<Activation> own;
  return MakeIterator(
      [this, &node, items, activation, source,
       own](Value* item) mutable -> absl::StatusOr<bool> {
        if (source == nullptr) {
          COHORT_ASSIGN_OR_RETURN(source, Iterate(items));
          own = MakeActivation(node.test_scope.function_slots, activation);
          Enter(node.test_scope, own.get());
        }
        while (true) {
          COHORT_ASSIGN_OR_RETURN(const bool is_there, source->next(item));
          if (!is_there) return false;
          COHORT_RETURN_IF_ERROR(Assign(*node.test_target, *item, own.get()));
          COHORT_ASSIGN_OR_RETURN(const Value holds,
                                  Evaluate(*node.third, own.get()));
          if (IsTrue(holds)) return true;
        }
      },
      items);
}

absl::StatusOr<LoopObject*> Interpreter::MakeLoop(const Node& node,
                                                  const Value& items,
                                                  Activation* activation) {
  COHORT_RETURN_IF_ERROR(Spend(10));
  LoopObject loop;
  if (node.third != nullptr) {
    // The test runs whenever the loop is asked for more, which may be after the
    // function around it has ended.
    if (!node.parameters.empty()) Keep(activation);
    // Whether there is anything to go through shows at the first item.
    COHORT_ASSIGN_OR_RETURN(loop.iterator,
                            Iterate(FilterItems(node, items, activation)));
  } else {
    COHORT_ASSIGN_OR_RETURN(loop.iterator, Iterate(items));
    if (HasLength(items)) {
      COHORT_ASSIGN_OR_RETURN(loop.length, Length(items));
    }
  }
  loops_.push_back(std::move(loop));
  return &loops_.back();
}

absl::Status Interpreter::For(const Node& node, Activation* activation) {
  COHORT_ASSIGN_OR_RETURN(const Value items,
                          Evaluate(*node.second, activation));
  if (node.flag) {
    COHORT_ASSIGN_OR_RETURN(const Value text,
                            RunRecursiveLoop(node, items, 0, activation));
    *out_ += text.text();
    return absl::OkStatus();
  }
  COHORT_ASSIGN_OR_RETURN(LoopObject* const loop,
                          MakeLoop(node, items, activation));
  const absl::Status status = RunLoop(node, loop, activation);
  // Only a loop that the template can speak of may be in use still.
  if (node.parameters.empty()) loops_.pop_back();
  return status;
}

Result Interpreter::RunRecursiveLoop(const Node& node, const Value& items,
                                     int64_t depth0, Activation* outer) {
  COHORT_ASSIGN_OR_RETURN(LoopObject* const loop, MakeLoop(node, items, outer));
  loop->depth0 = depth0;
  loop->recurse = [this, &node, outer](const Value& inner, int64_t depth) {
    return RunRecursiveLoop(node, inner, depth, outer);
  };
  Keep(outer);
  auto activation = MakeActivation(node.scope.function_slots, outer);
  std::string text;
  std::string* const before = std::exchange(out_, &text);
  const absl::Status status = RunLoop(node, loop, activation.get());
  out_ = before;
  Finish(std::move(activation));
  if (!status.ok()) return status;
  return Value::String(std::move(text), escapes_);
}

absl::Status Interpreter::RunLoop(const Node& node, LoopObject* loop,
                                  Activation* activation) {
  const Value loop_value = Value::Of(
      Kind::kLoop, std::shared_ptr<Object>(std::shared_ptr<Object>(), loop));
  bool runs_else = true;
  while (true) {
    COHORT_ASSIGN_OR_RETURN(const bool is_there, loop->Next());
    if (!is_there) break;
    COHORT_RETURN_IF_ERROR(Assign(*node.first, loop->current, activation));
    for (const Slot& slot : node.parameters) *At(slot, activation) = loop_value;
    Enter(node.scope, activation);
    COHORT_ASSIGN_OR_RETURN(const Flow flow, Execute(*node.body, activation));
    if (flow == Flow::kBreak) break;
    // Jinja's own rule: only an iteration that reaches its end counts.
    if (flow == Flow::kGoOn) runs_else = false;
  }
  Leave(node.scope, activation);
  if (runs_else && node.otherwise != nullptr) {
    Enter(node.else_scope, activation);
    COHORT_RETURN_IF_ERROR(Execute(*node.otherwise, activation));
    Leave(node.else_scope, activation);
  }
  return absl::OkStatus();
}

}  // namespace cohort::jinja
