#include "model/jinja/value.h"

#include <algorithm>
#include <functional>

#include "model/jinja/cat.h"
#include "proto/check.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// Dicts up to this size are searched from end to end.
constexpr size_t kSmallDict = 8;

template <typename T>
Result MakeSequence(Kind kind, std::vector<Value> items) {
  auto object = std::make_shared<T>();
  for (const Value& item : items) {
    object->depth = std::max(object->depth, item.depth() + 1);
    object->weight += item.weight();
  }
  COHORT_RETURN_IF_ERROR(CheckSize(object->depth, object->weight));
  object->items = std::move(items);
  return Value::Of(kind, std::move(object));
}

// Requires that it can be hashed.
size_t HashOf(const Value& value) { return *Hash(value); }

}  // namespace

Value Value::Bool(bool value) {
  Value result;
  result.kind_ = Kind::kBool;
  result.number_.integer = value ? 1 : 0;
  return result;
}

Value Value::Int(int64_t value) {
  Value result;
  result.kind_ = Kind::kInt;
  result.number_.integer = value;
  return result;
}

Value Value::Int(const mpz_class& value) {
  if (value.fits_slong_p()) return Int(int64_t{value.get_si()});
  Value result;
  result.kind_ = Kind::kInt;
  auto object = std::make_shared<BigIntObject>();
  object->value = value;
  object->weight = 1 + static_cast<int64_t>(mpz_size(value.get_mpz_t()));
  result.object_ = std::move(object);
  return result;
}

Value Value::Float(double value) {
  Value result;
  result.kind_ = Kind::kFloat;
  result.number_.real = value;
  return result;
}

Value Value::String(std::string text, bool markup) {
  auto object = std::make_shared<StringObject>();
  object->weight = 1 + static_cast<int64_t>(text.size() / 32);
  object->text = std::move(text);
  object->markup = markup;
  return Of(Kind::kString, std::move(object));
}

Value Value::Bytes(std::string bytes) {
  Value result = String(std::move(bytes));
  result.kind_ = Kind::kBytes;
  return result;
}

Value Value::Undefined(std::string hint, bool is_security_error) {
  auto object = std::make_shared<UndefinedObject>();
  object->hint = std::move(hint);
  object->is_security_error = is_security_error;
  return Of(Kind::kUndefined, std::move(object));
}

Value Value::Of(Kind kind, std::shared_ptr<Object> object) {
  Value result;
  result.kind_ = kind;
  result.object_ = std::move(object);
  return result;
}

const std::string& Value::text() const { return As<StringObject>().text; }
bool Value::markup() const { return As<StringObject>().markup; }
const std::vector<Value>& Value::items() const {
  return As<ListObject>().items;
}
const DictObject& Value::dict() const { return As<DictObject>(); }
const UndefinedObject& Value::undefined() const {
  return As<UndefinedObject>();
}

mpz_class Value::integer() const {
  return IsBig() ? As<BigIntObject>().value : mpz_class(number_.integer);
}

const Value* DictObject::Find(const Value& key) const {
  if (entries.size() <= kSmallDict) {
    for (const auto& [theirs, value] : entries) {
      if (Equal(theirs, key)) return &value;
    }
    return nullptr;
  }
  const auto [begin, end] = places.equal_range(HashOf(key));
  for (auto place = begin; place != end; ++place) {
    const auto& [theirs, value] = entries[place->second];
    if (Equal(theirs, key)) return &value;
  }
  return nullptr;
}

const Value* DictObject::Find(std::string_view key) const {
  return Find(Value::String(std::string(key)));
}

Value* NamespaceObject::Find(std::string_view name) {
  for (auto& [theirs, value] : attributes) {
    if (theirs == name) return &value;
  }
  return nullptr;
}

void NamespaceObject::Set(std::string_view name, Value value) {
  if (Value* const found = Find(name)) {
    *found = std::move(value);
  } else {
    attributes.emplace_back(std::string(name), std::move(value));
  }
}

absl::Status Error(std::string_view type, std::string_view message) {
  return absl::InvalidArgumentError(Cat(type, ": ", message));
}
absl::Status TypeError(std::string_view message) {
  return Error("TypeError", message);
}
absl::Status ValueError(std::string_view message) {
  return Error("ValueError", message);
}

absl::Status CheckSize(int depth, int64_t weight) {
  if (depth > kMaxValueDepth) {
    return absl::ResourceExhaustedError(
        Cat("a value nests deeper than ", kMaxValueDepth));
  }
  if (weight > kMaxValueWeight) {
    return absl::ResourceExhaustedError("a value grows too large");
  }
  return absl::OkStatus();
}

Result MakeList(std::vector<Value> items) {
  return MakeSequence<ListObject>(Kind::kList, std::move(items));
}

Result MakeTuple(std::vector<Value> items) {
  return MakeSequence<ListObject>(Kind::kTuple, std::move(items));
}

Result MakeString(std::string text, bool markup) {
  if (text.size() > kMaxStringBytes) {
    return absl::ResourceExhaustedError("a text grows too large");
  }
  return Value::String(std::move(text), markup);
}

Value MakeIterator(std::function<absl::StatusOr<bool>(Value*)> next,
                   const Value& over, std::string_view type) {
  auto object = std::make_shared<IteratorObject>();
  object->type = std::string(type);
  object->next = std::move(next);
  object->depth = over.depth() + 1;
  object->weight = over.weight() + 1;
  return Value::Of(Kind::kIterator, std::move(object));
}

Value MakeCallable(std::string name, std::function<Result(Arguments&)> call) {
  auto object = std::make_shared<CallableObject>();
  object->name = std::move(name);
  object->call = std::move(call);
  return Value::Of(Kind::kCallable, std::move(object));
}

DictBuilder::DictBuilder() : dict_(std::make_shared<DictObject>()) {}

absl::Status DictBuilder::Set(const Value& key, Value value) {
  COHORT_ASSIGN_OR_RETURN(const size_t hash, Hash(key));
  SetHashed(hash, key, std::move(value));
  return absl::OkStatus();
}

void DictBuilder::Set(std::string_view key, Value value) {
  const Value text = Value::String(std::string(key));
  SetHashed(HashOf(text), text, std::move(value));
}

void DictBuilder::SetHashed(size_t hash, const Value& key, Value value) {
  dict_->depth = std::max({dict_->depth, key.depth() + 1, value.depth() + 1});
  dict_->weight += key.weight() + value.weight();
  if (const Value* const found = dict_->Find(key)) {
    *const_cast<Value*>(found) = std::move(value);
    return;
  }
  dict_->entries.emplace_back(key, std::move(value));
  dict_->places.emplace(hash, dict_->entries.size() - 1);
}

Result DictBuilder::Build() {
  COHORT_RETURN_IF_ERROR(CheckSize(dict_->depth, dict_->weight));
  return Value::Of(Kind::kDict, std::move(dict_));
}

std::string TypeName(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.markup() ? "Markup" : "str";
    case Kind::kBytes:
      return "bytes";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return value.As<ListObject>().is_group ? "_GroupTuple" : "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView: {
      const ViewObject::Part part = value.As<ViewObject>().part;
      return part == ViewObject::kKeys     ? "dict_keys"
             : part == ViewObject::kValues ? "dict_values"
                                           : "dict_items";
    }
    case Kind::kIterator:
      return value.As<IteratorObject>().type;
    case Kind::kNamespace:
      return "TemplateNamespace";
    case Kind::kCallable:
      return value.As<CallableObject>().type;
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
  }
  return "object";
}

bool IsTrue(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean();
    case Kind::kInt:
      return value.IsBig() || value.small() != 0;
    case Kind::kFloat:
      return value.real() != 0;
    case Kind::kString:
    case Kind::kBytes:
      return !value.text().empty();
    default:
      break;
  }
  if (!HasLength(value)) return true;
  return *Length(value) != 0;
}

bool HasLength(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
      return true;
    default:
      return false;
  }
}

absl::Status UseOfUndefined(const Value& value) {
  COHORT_CHECK(value.Is(Kind::kUndefined));
  const UndefinedObject& undefined = value.undefined();
  return Error(undefined.is_security_error ? "SecurityError" : "UndefinedError",
               undefined.hint);
}

}  // namespace cohort::jinja
