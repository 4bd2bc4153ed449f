// How expressions are evaluated, and calls made.
#include <algorithm>

#include "model/jinja/attributes.h"
#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/interpreter.h"
#include "model/jinja/number.h"
#include "model/jinja/tests.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {

Result Interpreter::EvaluateInside(const Node& node, Activation* activation) {
  if (is_folding_ && !IsKnownBeforeRender(node)) {
    return absl::FailedPreconditionError("not known before the render");
  }
  switch (node.type) {
    case NodeType::kConstant:
      return node.value;
    case NodeType::kName:
      return Load(node, activation);
    case NodeType::kTuple:
    case NodeType::kList:
      return EvaluateItems(node, activation);
    case NodeType::kDict:
      return EvaluateDict(node, activation);
    case NodeType::kCondition:
      return EvaluateCondition(node, activation);
    case NodeType::kAnd:
    case NodeType::kOr: {
      COHORT_ASSIGN_OR_RETURN(const Value left,
                              Evaluate(*node.first, activation));
      if (IsTrue(left) == (node.type == NodeType::kOr)) return left;
      return Evaluate(*node.second, activation);
    }
    case NodeType::kNot: {
      COHORT_ASSIGN_OR_RETURN(const Value value,
                              Evaluate(*node.first, activation));
      return Value::Bool(!IsTrue(value));
    }
    case NodeType::kCompare:
      return EvaluateCompare(node, activation);
    case NodeType::kOperator:
      return EvaluateOperator(node, activation);
    case NodeType::kSign: {
      COHORT_ASSIGN_OR_RETURN(const Value value,
                              Evaluate(*node.first, activation));
      return Sign(node.text[0], value);
    }
    case NodeType::kConcat:
      return EvaluateConcat(node, activation);
    case NodeType::kAttribute: {
      COHORT_ASSIGN_OR_RETURN(const Value value,
                              Evaluate(*node.first, activation));
      return GetAttribute(value, node.text);
    }
    case NodeType::kItem:
      return EvaluateItem(node, activation);
    case NodeType::kFilter:
      return EvaluateFilter(node, nullptr, activation);
    case NodeType::kTest:
      return EvaluateTest(node, activation);
    case NodeType::kCall:
      return EvaluateCall(node, nullptr, activation);
    default:
      return TypeError("not an expression");
  }
}

Result Interpreter::Load(const Node& name, Activation* activation) {
  const Value& value = *At(name.slot, activation);
  if (!IsMissing(value)) return value;
  return Value::Undefined(Cat(Quote(name.text), " is undefined"));
}

Result Interpreter::EvaluateItems(const Node& node, Activation* activation) {
  std::vector<Value> items;
  items.reserve(node.items.size());
  for (const NodePtr& item : node.items) {
    COHORT_ASSIGN_OR_RETURN(Value value, Evaluate(*item, activation));
    items.push_back(std::move(value));
  }
  return node.type == NodeType::kList ? MakeList(std::move(items))
                                      : MakeTuple(std::move(items));
}

Result Interpreter::EvaluateDict(const Node& node, Activation* activation) {
  DictBuilder dict;
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    COHORT_ASSIGN_OR_RETURN(const Value key,
                            Evaluate(*node.items[i], activation));
    COHORT_ASSIGN_OR_RETURN(Value value,
                            Evaluate(*node.items[i + 1], activation));
    COHORT_RETURN_IF_ERROR(dict.Set(key, std::move(value)));
  }
  return dict.Build();
}

Result Interpreter::EvaluateCondition(const Node& node,
                                      Activation* activation) {
  COHORT_ASSIGN_OR_RETURN(const Value test, Evaluate(*node.first, activation));
  if (IsTrue(test)) return Evaluate(*node.second, activation);
  if (node.third != nullptr) return Evaluate(*node.third, activation);
  if (is_folding_) {
    return absl::FailedPreconditionError("not known before the render");
  }
  return Value::Undefined(
      Cat("the inline if-expression on line ", node.line,
          " evaluated to false and no else section was defined."));
}

Result Interpreter::EvaluateCompare(const Node& node, Activation* activation) {
  COHORT_ASSIGN_OR_RETURN(Value left, Evaluate(*node.first, activation));
  for (const NodePtr& operand : node.items) {
    COHORT_ASSIGN_OR_RETURN(Value right, Evaluate(*operand->first, activation));
    const std::string& op = operand->text;
    COHORT_RETURN_IF_ERROR(Spend(std::min(left.weight(), right.weight())));
    bool holds = false;
    if (op == "==" || op == "!=") {
      holds = Equal(left, right) == (op == "==");
    } else if (op == "in" || op == "not in") {
      COHORT_RETURN_IF_ERROR(SpendOn(right));
      COHORT_ASSIGN_OR_RETURN(const bool contains, Contains(right, left));
      holds = contains == (op == "in");
    } else {
      COHORT_ASSIGN_OR_RETURN(holds, Compare(left, right, op));
    }
    if (!holds) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

Result Interpreter::EvaluateOperator(const Node& node, Activation* activation) {
  COHORT_ASSIGN_OR_RETURN(const Value left, Evaluate(*node.first, activation));
  COHORT_ASSIGN_OR_RETURN(const Value right,
                          Evaluate(*node.second, activation));
  COHORT_ASSIGN_OR_RETURN(Value result, Operate(node.text, left, right));
  COHORT_RETURN_IF_ERROR(SpendOn(result));
  return result;
}

Result Interpreter::EvaluateConcat(const Node& node, Activation* activation) {
  std::string text;
  for (const NodePtr& item : node.items) {
    COHORT_ASSIGN_OR_RETURN(const Value value, Evaluate(*item, activation));
    COHORT_ASSIGN_OR_RETURN(const std::string part, Str(value));
    const bool is_safe = value.Is(Kind::kString) && value.markup();
    text += escapes_ && !is_safe ? EscapeHtml(part) : part;
    COHORT_RETURN_IF_ERROR(Spend(static_cast<int64_t>(part.size() / 32)));
  }
  return MakeString(std::move(text), escapes_);
}

Result Interpreter::EvaluateItem(const Node& node, Activation* activation) {
  COHORT_ASSIGN_OR_RETURN(const Value value, Evaluate(*node.first, activation));
  const Node& place = *node.second;
  if (place.type != NodeType::kSlice) {
    COHORT_ASSIGN_OR_RETURN(const Value key, Evaluate(place, activation));
    if (value.Is(Kind::kString)) COHORT_RETURN_IF_ERROR(SpendOn(value));
    return GetItem(value, key);
  }
  Value parts[3];
  const Node* const nodes[3] = {place.first.get(), place.second.get(),
                                place.third.get()};
  for (size_t i = 0; i < 3; ++i) {
    if (nodes[i] == nullptr) continue;
    COHORT_ASSIGN_OR_RETURN(parts[i], Evaluate(*nodes[i], activation));
  }
  COHORT_RETURN_IF_ERROR(SpendOn(value));
  Result slice = GetSlice(value, parts[0], parts[1], parts[2]);
  if (is_folding_ && !slice.ok() && !value.Is(Kind::kUndefined) &&
      slice.status().message().rfind("TypeError", 0) == 0) {
    return Value::Undefined("no such slice");
  }
  return slice;
}

absl::Status Interpreter::EvaluateArguments(const Node& node,
                                            Activation* activation,
                                            Arguments* arguments) {
  for (const NodePtr& item : node.items) {
    COHORT_ASSIGN_OR_RETURN(Value value, Evaluate(*item, activation));
    arguments->positional.push_back(std::move(value));
  }
  for (const NodePtr& keyword : node.keywords) {
    COHORT_ASSIGN_OR_RETURN(Value value, Evaluate(*keyword->first, activation));
    arguments->named.emplace_back(keyword->text, std::move(value));
  }
  if (node.more_items != nullptr) {
    COHORT_ASSIGN_OR_RETURN(const Value more,
                            Evaluate(*node.more_items, activation));
    COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(more));
    arguments->positional.insert(arguments->positional.end(), items.begin(),
                                 items.end());
  }
  if (node.more_keywords == nullptr) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(const Value more,
                          Evaluate(*node.more_keywords, activation));
  if (!more.Is(Kind::kDict)) {
    return TypeError(
        Cat("argument after ** must be a mapping, not ", TypeName(more)));
  }
  for (const auto& [key, value] : more.dict().entries) {
    if (!key.Is(Kind::kString)) return TypeError("keywords must be strings");
    for (const auto& [name, given] : arguments->named) {
      if (name == key.text()) {
        return TypeError(
            Cat("got multiple values for keyword argument '", name, "'"));
      }
    }
    arguments->named.emplace_back(key.text(), value);
  }
  return absl::OkStatus();
}

Result Interpreter::EvaluateFilter(const Node& node, const Value* body,
                                   Activation* activation) {
  Arguments arguments;
  if (node.first == nullptr) {
    arguments.positional.push_back(*body);
  } else if (body != nullptr && node.first->type == NodeType::kFilter) {
    COHORT_ASSIGN_OR_RETURN(Value inner,
                            EvaluateFilter(*node.first, body, activation));
    arguments.positional.push_back(std::move(inner));
  } else {
    COHORT_ASSIGN_OR_RETURN(Value value, Evaluate(*node.first, activation));
    arguments.positional.push_back(std::move(value));
  }
  COHORT_RETURN_IF_ERROR(EvaluateArguments(node, activation, &arguments));
  const Value& value = arguments.positional[0];
  if (node.text != "length" && node.text != "count" && node.text != "default") {
    COHORT_RETURN_IF_ERROR(SpendOn(value));
  }
  // An argument may be gone through for each of the value's items.
  if (arguments.positional.size() > 1 && !value.Is(Kind::kString)) {
    int64_t weight = 0;
    for (const Value& argument : arguments.positional) {
      if (&argument != &value) weight += argument.weight();
    }
    const int64_t items = HasLength(value) ? *Length(value) : value.weight();
    COHORT_RETURN_IF_ERROR(
        Spend(weight / 8 * std::min<int64_t>(items, int64_t{1} << 30)));
  }
  COHORT_ASSIGN_OR_RETURN(Value result, ApplyFilter(node.text, arguments));
  COHORT_RETURN_IF_ERROR(SpendOn(result));
  return result;
}

Result Interpreter::EvaluateTest(const Node& node, Activation* activation) {
  Arguments arguments;
  COHORT_ASSIGN_OR_RETURN(Value value, Evaluate(*node.first, activation));
  if (value.Is(Kind::kString)) COHORT_RETURN_IF_ERROR(SpendOn(value));
  arguments.positional.push_back(std::move(value));
  COHORT_RETURN_IF_ERROR(EvaluateArguments(node, activation, &arguments));
  if (arguments.positional.size() > 1) {
    COHORT_RETURN_IF_ERROR(SpendOn(arguments.positional[1]));
    COHORT_RETURN_IF_ERROR(Spend(std::min(arguments.positional[0].weight(),
                                          arguments.positional[1].weight())));
  }
  COHORT_ASSIGN_OR_RETURN(const bool holds, ApplyTest(node.text, arguments));
  return Value::Bool(holds);
}

Result Interpreter::EvaluateCall(const Node& node, const Value* caller,
                                 Activation* activation) {
  COHORT_ASSIGN_OR_RETURN(const Value callee,
                          Evaluate(*node.first, activation));
  // The text that a method is of, and what it is given.
  if (node.first->type == NodeType::kAttribute && callee.Is(Kind::kCallable)) {
    COHORT_RETURN_IF_ERROR(Spend(callee.weight()));
  }
  Arguments arguments;
  COHORT_RETURN_IF_ERROR(EvaluateArguments(node, activation, &arguments));
  if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
  if (callee.Is(Kind::kUndefined)) return UseOfUndefined(callee);
  COHORT_ASSIGN_OR_RETURN(Value result, Call(callee, arguments));
  COHORT_RETURN_IF_ERROR(SpendOn(result));
  return result;
}

Result Interpreter::Call(const Value& callee, Arguments& arguments) {
  if (callee.Is(Kind::kCallable)) {
    return callee.As<CallableObject>().call(arguments);
  }
  if (!callee.Is(Kind::kLoop)) {
    return TypeError(Cat("'", TypeName(callee), "' object is not callable"));
  }
  const LoopObject& loop = callee.As<LoopObject>();
  if (loop.recurse == nullptr) {
    return TypeError(
        "The loop must have the 'recursive' marker to be called recursively.");
  }
  if (arguments.positional.size() != 1 || !arguments.named.empty()) {
    return TypeError("loop() takes the items to go through");
  }
  return loop.recurse(arguments.positional[0], loop.depth0 + 1);
}

// The values of the macro's parameters, then of "caller", "kwargs" and
// "varargs" where it speaks of them.
absl::StatusOr<std::vector<Value>> Interpreter::MacroArguments(
    const Node& node, Arguments& arguments) {
  std::vector<Value> values;
  const size_t size = node.items.size();
  const auto take = [&](const std::string& name) {
    for (auto given = arguments.named.begin(); given != arguments.named.end();
         ++given) {
      if (given->first != name) continue;
      Value value = std::move(given->second);
      arguments.named.erase(given);
      return value;
    }
    return Missing();
  };
  for (size_t i = 0; i < size; ++i) {
    values.push_back(i < arguments.positional.size()
                         ? arguments.positional[i]
                         : take(node.items[i]->text));
  }
  if (node.takes_caller) {
    Value caller = take("caller");
    values.push_back(IsMissing(caller) || caller.Is(Kind::kNone)
                         ? Value::Undefined("No caller defined")
                         : std::move(caller));
  }
  if (node.takes_kwargs) {
    DictBuilder kwargs;
    for (const auto& [name, value] : arguments.named) kwargs.Set(name, value);
    arguments.named.clear();
    COHORT_ASSIGN_OR_RETURN(Value dict, kwargs.Build());
    values.push_back(std::move(dict));
  }
  if (node.takes_varargs) {
    std::vector<Value> rest;
    if (arguments.positional.size() > size) {
      rest.assign(arguments.positional.begin() + static_cast<ptrdiff_t>(size),
                  arguments.positional.end());
      arguments.positional.resize(size);
    }
    COHORT_ASSIGN_OR_RETURN(Value tuple, MakeTuple(std::move(rest)));
    values.push_back(std::move(tuple));
  }
  COHORT_RETURN_IF_ERROR(CheckLeftOver(node, arguments));
  return values;
}

absl::Status Interpreter::CheckLeftOver(const Node& node,
                                        const Arguments& arguments) {
  const std::string name = node.text.empty() ? "None" : Quote(node.text);
  for (const auto& [given, value] : arguments.named) {
    if (given == "caller") {
      return TypeError(Cat("macro ", name,
                           " was invoked with two values for the "
                           "special caller argument. This is most "
                           "likely a bug."));
    }
  }
  if (!arguments.named.empty()) {
    return TypeError(Cat("macro ", name, " takes no keyword argument ",
                         Quote(arguments.named[0].first)));
  }
  if (arguments.positional.size() > node.items.size()) {
    return TypeError(Cat("macro ", name, " takes not more than ",
                         node.items.size(), " argument(s)"));
  }
  return absl::OkStatus();
}

Result Interpreter::CallMacro(const Node& node, Activation* outer,
                              Arguments& arguments) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> values,
                          MacroArguments(node, arguments));
  auto activation = MakeActivation(node.scope.function_slots, outer);
  const auto run = [&]() -> absl::StatusOr<std::string> {
    for (size_t i = 0; i < values.size(); ++i) {
      *At(node.parameters[i], activation.get()) = values[i];
    }
    Enter(node.scope, activation.get());
    const size_t size = node.items.size();
    for (size_t i = 0; i < size; ++i) {
      Value* const parameter = At(node.parameters[i], activation.get());
      if (!IsMissing(*parameter)) continue;
      const size_t required = size - node.defaults.size();
      if (i < required) {
        *parameter = Value::Undefined(
            Cat("parameter ", Quote(node.items[i]->text), " was not provided"));
        continue;
      }
      COHORT_ASSIGN_OR_RETURN(
          const Value fallback,
          Evaluate(*node.defaults[i - required], activation.get()));
      *At(node.parameters[i], activation.get()) = fallback;
    }
    std::string text;
    COHORT_RETURN_IF_ERROR(Capture(*node.body, activation.get(), &text));
    return text;
  };
  absl::StatusOr<std::string> text = run();
  Finish(std::move(activation));
  COHORT_RETURN_IF_ERROR(text);
  return MakeString(*std::move(text), escapes_);
}

}  // namespace cohort::jinja
