// Methods of dicts, lists, tuples, ranges, iterators, cyclers and numbers.
#include <cmath>

#include "model/jinja/attributes.h"
#include "model/jinja/callable.h"
#include "model/jinja/cat.h"
#include "model/jinja/number.h"
#include "model/jinja/signature.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// A method of `self` with this signature.
template <typename Call>
Value MakeMethod(std::string_view name, Signature signature, Call call) {
  return MakeCallable(
      std::string(name),
      [name = std::string(name), signature = std::move(signature),
       call = std::move(call)](Arguments& arguments) -> Result {
        COHORT_ASSIGN_OR_RETURN(const Bound bound,
                                Bound::Make(name, signature, arguments));
        return call(bound);
      });
}

Value MakeView(const Value& dict, ViewObject::Part part) {
  auto view = std::make_shared<ViewObject>();
  view->part = part;
  view->dict = dict;
  view->depth = dict.depth() + 1;
  view->weight = dict.weight() + 1;
  return Value::Of(Kind::kView, std::move(view));
}

std::optional<Value> DictMethod(const Value& dict, std::string_view name) {
  const std::pair<std::string_view, ViewObject::Part> views[] = {
      {"keys", ViewObject::kKeys},
      {"values", ViewObject::kValues},
      {"items", ViewObject::kItems}};
  for (const auto& [view, part] : views) {
    if (name == view) {
      return MakeMethod(name, {{}, 0, false},
                        [dict, part = part](const Bound&) {
                          return Result(MakeView(dict, part));
                        });
    }
  }
  if (name == "get") {
    return MakeMethod(name, {{"key", "default"}, 1, false},
                      [dict](const Bound& bound) -> Result {
                        COHORT_RETURN_IF_ERROR(Hash(bound[0]));
                        const Value* const found = dict.dict().Find(bound[0]);
                        return found != nullptr ? *found
                                                : bound.Or(1, Value::None());
                      });
  }
  if (name == "copy") {
    return MakeMethod(name, {{}, 0, false},
                      [dict](const Bound&) { return Result(dict); });
  }
  return std::nullopt;
}

Result IndexOf(const Value& sequence, const Value& wanted) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(sequence));
  for (size_t i = 0; i < items.size(); ++i) {
    if (IsSame(items[i], wanted) || Equal(items[i], wanted)) {
      return Value::Int(static_cast<int64_t>(i));
    }
  }
  COHORT_ASSIGN_OR_RETURN(const std::string text, Repr(wanted));
  return ValueError(Cat(text, " is not in ", TypeName(sequence)));
}

Result CountOf(const Value& sequence, const Value& wanted) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(sequence));
  int64_t count = 0;
  for (const Value& item : items) {
    if (IsSame(item, wanted) || Equal(item, wanted)) ++count;
  }
  return Value::Int(count);
}

std::optional<Value> SequenceMethod(const Value& sequence,
                                    std::string_view name) {
  if (name == "index") {
    return MakeMethod(
        name, {{"value"}, 1, false},
        [sequence](const Bound& bound) { return IndexOf(sequence, bound[0]); });
  }
  if (name == "count") {
    return MakeMethod(
        name, {{"value"}, 1, false},
        [sequence](const Bound& bound) { return CountOf(sequence, bound[0]); });
  }
  if (name == "copy" && sequence.Is(Kind::kList)) {
    return MakeMethod(name, {{}, 0, false},
                      [sequence](const Bound&) { return Result(sequence); });
  }
  return std::nullopt;
}

std::optional<Value> CyclerAttribute(const Value& value,
                                     std::string_view name) {
  const auto& cycler = value.As<CyclerObject>();
  if (name == "current") return cycler.items[cycler.place];
  if (name == "next") {
    return MakeMethod(name, {{}, 0, false}, [value](const Bound&) -> Result {
      auto& moving = value.As<CyclerObject>();
      const Value item = moving.items[moving.place];
      moving.place = (moving.place + 1) % moving.items.size();
      return item;
    });
  }
  if (name == "reset") {
    return MakeMethod(name, {{}, 0, false}, [value](const Bound&) -> Result {
      value.As<CyclerObject>().place = 0;
      return Value::None();
    });
  }
  return std::nullopt;
}

std::optional<Value> CallableAttribute(const Value& value,
                                       std::string_view name) {
  const auto* const callable =
      dynamic_cast<const AttributedCallable*>(value.object().get());
  if (callable == nullptr) return std::nullopt;
  for (const auto& [theirs, attribute] : callable->attributes) {
    if (theirs == name) return attribute;
  }
  return std::nullopt;
}

int64_t CountBits(const Value& value, bool only_ones) {
  const mpz_class magnitude = abs(value.integer());
  if (magnitude == 0) return 0;
  return static_cast<int64_t>(only_ones
                                  ? mpz_popcount(magnitude.get_mpz_t())
                                  : mpz_sizeinbase(magnitude.get_mpz_t(), 2));
}

}  // namespace

std::optional<Value> FindContainerMethod(const Value& value,
                                         std::string_view name) {
  switch (value.kind()) {
    case Kind::kDict:
      return DictMethod(value, name);
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
      return SequenceMethod(value, name);
    case Kind::kCycler:
      return CyclerAttribute(value, name);
    case Kind::kCallable:
      return CallableAttribute(value, name);
    default:
      return std::nullopt;
  }
}

std::optional<Value> FindNumberMethod(const Value& value,
                                      std::string_view name) {
  const auto constant = [&](Value result) {
    return MakeMethod(name, {{}, 0, false},
                      [result](const Bound&) { return Result(result); });
  };
  const Value self = value.Is(Kind::kBool) ? Value::Int(value.small()) : value;
  if (name == "real") return self;
  if (name == "imag") {
    return value.Is(Kind::kFloat) ? Value::Float(0) : Value::Int(0);
  }
  if (name == "conjugate") return constant(self);
  if (value.Is(Kind::kFloat)) {
    if (name != "is_integer") return std::nullopt;
    return constant(Value::Bool(std::isfinite(value.real()) &&
                                value.real() == std::floor(value.real())));
  }
  if (name == "numerator") return self;
  if (name == "denominator") return Value::Int(1);
  if (name == "bit_length") {
    return constant(Value::Int(CountBits(value, false)));
  }
  if (name == "bit_count") return constant(Value::Int(CountBits(value, true)));
  return std::nullopt;
}

}  // namespace cohort::jinja
