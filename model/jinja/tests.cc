#include "model/jinja/tests.h"

#include <array>

#include "model/jinja/attributes.h"
#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

absl::StatusOr<bool> HasRest(const Value& value, int64_t divisor,
                             int64_t rest) {
  COHORT_ASSIGN_OR_RETURN(const Value left,
                          Operate("%", value, Value::Int(divisor)));
  return Equal(left, Value::Int(rest));
}

absl::StatusOr<bool> IsOdd(const Value& value, const Value&) {
  return HasRest(value, 2, 1);
}
absl::StatusOr<bool> IsEven(const Value& value, const Value&) {
  return HasRest(value, 2, 0);
}
absl::StatusOr<bool> IsDivisible(const Value& value, const Value& divisor) {
  COHORT_ASSIGN_OR_RETURN(const Value left, Operate("%", value, divisor));
  return Equal(left, Value::Int(0));
}

// Of str(value): some letter has the case, none the other.
template <bool (*kRight)(char32_t), bool (*kWrong)(char32_t)>
absl::StatusOr<bool> HasCase(const Value& value, const Value&) {
  COHORT_ASSIGN_OR_RETURN(const std::string text, Str(value));
  bool found = false;
  for (const char32_t c : Decode(text)) {
    if (kWrong(c) || IsTitle(c)) return false;
    found = found || kRight(c);
  }
  return found;
}

template <Kind kKind>
absl::StatusOr<bool> IsKind(const Value& value, const Value&) {
  return value.Is(kKind);
}
absl::StatusOr<bool> IsDefined(const Value& value, const Value&) {
  return !value.Is(Kind::kUndefined);
}
absl::StatusOr<bool> IsTrueItself(const Value& value, const Value&) {
  return value.Is(Kind::kBool) && value.boolean();
}
absl::StatusOr<bool> IsFalseItself(const Value& value, const Value&) {
  return value.Is(Kind::kBool) && !value.boolean();
}
absl::StatusOr<bool> IsAnyNumber(const Value& value, const Value&) {
  return value.IsNumber();
}
absl::StatusOr<bool> IsAnySequence(const Value& value, const Value&) {
  switch (value.kind()) {
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
      return true;
    default:
      return false;
  }
}
absl::StatusOr<bool> IsIterable(const Value& value, const Value&) {
  return value.Is(Kind::kLoop) || Iterate(value).ok();
}
absl::StatusOr<bool> IsCallable(const Value& value, const Value&) {
  // Jinja's Undefined has a __call__, which fails; so has a loop.
  return value.Is(Kind::kCallable) || value.Is(Kind::kUndefined) ||
         value.Is(Kind::kLoop);
}
absl::StatusOr<bool> IsSameAs(const Value& value, const Value& other) {
  return IsSame(value, other);
}
absl::StatusOr<bool> IsEscaped(const Value& value, const Value&) {
  return value.Is(Kind::kString) && value.markup();
}
absl::StatusOr<bool> IsIn(const Value& value, const Value& container) {
  return Contains(container, value);
}
absl::StatusOr<bool> IsFilter(const Value& value, const Value&) {
  COHORT_RETURN_IF_ERROR(Hash(value));
  return value.Is(Kind::kString) && FindFilter(value.text()) != nullptr;
}
absl::StatusOr<bool> IsTest(const Value& value, const Value&) {
  COHORT_RETURN_IF_ERROR(Hash(value));
  return value.Is(Kind::kString) && FindTest(value.text()) != nullptr;
}
absl::StatusOr<bool> IsEqual(const Value& value, const Value& other) {
  return Equal(value, other);
}
absl::StatusOr<bool> IsUnequal(const Value& value, const Value& other) {
  return !Equal(value, other);
}
absl::StatusOr<bool> IsGreater(const Value& value, const Value& other) {
  return Compare(value, other, ">");
}
absl::StatusOr<bool> IsGreaterOrEqual(const Value& value, const Value& other) {
  return Compare(value, other, ">=");
}
absl::StatusOr<bool> IsLess(const Value& value, const Value& other) {
  return Compare(value, other, "<");
}
absl::StatusOr<bool> IsLessOrEqual(const Value& value, const Value& other) {
  return Compare(value, other, "<=");
}

constexpr std::array<TestEntry, 39> kTests = {{
    {"odd", 0, IsOdd},
    {"even", 0, IsEven},
    {"divisibleby", 1, IsDivisible},
    {"defined", 0, IsDefined},
    {"undefined", 0, IsKind<Kind::kUndefined>},
    {"filter", 0, IsFilter},
    {"test", 0, IsTest},
    {"none", 0, IsKind<Kind::kNone>},
    {"boolean", 0, IsKind<Kind::kBool>},
    {"false", 0, IsFalseItself},
    {"true", 0, IsTrueItself},
    {"integer", 0, IsKind<Kind::kInt>},
    {"float", 0, IsKind<Kind::kFloat>},
    {"lower", 0, HasCase<IsLower, IsUpper>},
    {"upper", 0, HasCase<IsUpper, IsLower>},
    {"string", 0, IsKind<Kind::kString>},
    {"mapping", 0, IsKind<Kind::kDict>},
    {"number", 0, IsAnyNumber},
    {"sequence", 0, IsAnySequence},
    {"iterable", 0, IsIterable},
    {"callable", 0, IsCallable},
    {"sameas", 1, IsSameAs},
    {"escaped", 0, IsEscaped},
    {"in", 1, IsIn},
    {"==", 1, IsEqual},
    {"eq", 1, IsEqual},
    {"equalto", 1, IsEqual},
    {"!=", 1, IsUnequal},
    {"ne", 1, IsUnequal},
    {">", 1, IsGreater},
    {"gt", 1, IsGreater},
    {"greaterthan", 1, IsGreater},
    {"ge", 1, IsGreaterOrEqual},
    {">=", 1, IsGreaterOrEqual},
    {"<", 1, IsLess},
    {"lt", 1, IsLess},
    {"lessthan", 1, IsLess},
    {"<=", 1, IsLessOrEqual},
    {"le", 1, IsLessOrEqual},
}};

}  // namespace

const TestEntry* FindTest(std::string_view name) {
  for (const TestEntry& entry : kTests) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

absl::StatusOr<bool> ApplyTest(std::string_view name, Arguments& arguments) {
  const TestEntry* const test = FindTest(name);
  if (test == nullptr) {
    return Error("TemplateRuntimeError", Cat("No test named '", name, "'."));
  }
  if (arguments.positional.size() != test->parameters + 1 ||
      !arguments.named.empty()) {
    // The parameters' names, where they may be given by name.
    const bool by_name = arguments.positional.size() == 1 &&
                         arguments.named.size() == 1 && test->parameters == 1;
    const std::string parameter = name == "divisibleby" ? "num"
                                  : name == "sameas"    ? "other"
                                  : name == "in"        ? "seq"
                                                        : "";
    if (by_name && arguments.named[0].first == parameter) {
      return test->call(arguments.positional[0], arguments.named[0].second);
    }
    return TypeError(
        Cat("the test '", name, "' takes ", test->parameters, " argument(s)"));
  }
  return test->call(arguments.positional[0],
                    test->parameters == 0 ? Value() : arguments.positional[1]);
}

}  // namespace cohort::jinja
