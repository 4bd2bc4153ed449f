// The values that a template computes with: Python's, as far as templates can
// tell.
//
// Strings, lists, tuples and dicts never change once made (the sandbox that
// templates run in allows no method that would change them), so they are shared
// freely and cannot form cycles. What does change (namespaces, loops, macros)
// belongs to the render that made it; values only point at it.
//
// Every container knows how deep it nests and how much it weighs when walked
// through, and is refused past a limit: whoever walks one needs no guard.
#pragma once

#include <gmpxx.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/jinja/errors.h"

namespace cohort::jinja {

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kBytes,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,      // What dict.keys(), .values() and .items() give.
  kIterator,  // Goes by once.
  kNamespace,
  kCallable,
  kLoop,
  kCycler,
};

struct Object {
  virtual ~Object() = default;
  int depth = 0;
  int64_t weight = 1;
};

struct UndefinedObject;
struct StringObject;
struct ListObject;
struct DictObject;

class Value {
 public:
  Value() = default;  // None.
  static Value None() { return Value(); }
  static Value Bool(bool value);
  static Value Int(int64_t value);
  static Value Int(const mpz_class& value);
  static Value Float(double value);
  // `markup`: marked as HTML that needs no escaping.
  static Value String(std::string text, bool markup = false);
  static Value Bytes(std::string bytes);
  // Something that is not there. `hint`: what to say when it is used.
  static Value Undefined(std::string hint, bool is_security_error = false);
  static Value Of(Kind kind, std::shared_ptr<Object> object);

  Kind kind() const { return kind_; }
  bool Is(Kind kind) const { return kind_ == kind; }
  bool IsNumber() const {
    return kind_ == Kind::kBool || kind_ == Kind::kInt || kind_ == Kind::kFloat;
  }
  bool IsInteger() const { return kind_ == Kind::kBool || kind_ == Kind::kInt; }
  bool IsSequence() const {
    return kind_ == Kind::kList || kind_ == Kind::kTuple;
  }

  // Each requires the kind it names.
  bool boolean() const { return number_.integer != 0; }
  double real() const { return number_.real; }
  const std::string& text() const;  // Of a string or bytes.
  bool markup() const;
  const std::vector<Value>& items() const;  // Of a list or a tuple.
  const DictObject& dict() const;
  const UndefinedObject& undefined() const;

  // Of a bool or an int.
  bool IsBig() const { return kind_ == Kind::kInt && object_ != nullptr; }
  int64_t small() const { return number_.integer; }  // Requires !IsBig().
  mpz_class integer() const;

  const std::shared_ptr<Object>& object() const { return object_; }
  template <typename T>
  T& As() const {
    return static_cast<T&>(*object_);
  }

  int depth() const { return object_ == nullptr ? 0 : object_->depth; }
  int64_t weight() const { return object_ == nullptr ? 1 : object_->weight; }

 private:
  Kind kind_ = Kind::kNone;
  union {
    int64_t integer = 0;
    double real;
  } number_;
  std::shared_ptr<Object> object_;
};

using Result = absl::StatusOr<Value>;

struct UndefinedObject : Object {
  std::string hint;
  bool is_security_error = false;
};

struct StringObject : Object {
  std::string text;
  bool markup = false;
};

struct BigIntObject : Object {
  mpz_class value;
};

struct ListObject : Object {
  std::vector<Value> items;
  bool is_group = false;  // A tuple of the groupby filter: grouper, list.
};

// Keys in the order in which they were first set.
struct DictObject : Object {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_multimap<size_t, size_t> places;  // By hash; for large ones.

  // Null if there is none. Requires a key that can be hashed.
  const Value* Find(const Value& key) const;
  const Value* Find(std::string_view key) const;
};

struct RangeObject : Object {
  int64_t start = 0, stop = 0, step = 1;
  int64_t size = 0;
  Value At(int64_t i) const { return Value::Int(start + i * step); }
};

struct ViewObject : Object {
  enum Part { kKeys, kValues, kItems } part = kKeys;
  Value dict;
};

struct IteratorObject : Object {
  std::string type = "generator";
  // Puts the next item in *item; false at the end.
  std::function<absl::StatusOr<bool>(Value* item)> next;
};

struct NamespaceObject : Object {
  std::vector<std::pair<std::string, Value>> attributes;
  Value* Find(std::string_view name);
  void Set(std::string_view name, Value value);
};

// What a call passes.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

struct CallableObject : Object {
  std::string name;
  std::string type = "builtin_function_or_method";  // As Python calls it.
  std::function<Result(Arguments&)> call;
};

// A cycler(): goes round its items.
struct CyclerObject : Object {
  std::vector<Value> items;
  size_t place = 0;
};

// Containers. kResourceExhausted past the limits above.
Result MakeList(std::vector<Value> items);
Result MakeTuple(std::vector<Value> items);
Result MakeString(std::string text, bool markup = false);
Value MakeIterator(std::function<absl::StatusOr<bool>(Value*)> next,
                   const Value& over, std::string_view type = "generator");
Value MakeCallable(std::string name, std::function<Result(Arguments&)> call);

// Builds a dict; a key set twice keeps its place and takes the later value.
class DictBuilder {
 public:
  DictBuilder();
  // TypeError for a key that cannot be hashed.
  absl::Status Set(const Value& key, Value value);
  void Set(std::string_view key, Value value);
  Result Build();

 private:
  void SetHashed(size_t hash, const Value& key, Value value);
  std::shared_ptr<DictObject> dict_;
};

// Python's names of types: "str", "dict", "NoneType", ...
std::string TypeName(const Value& value);

bool IsTrue(const Value& value);

// ==, which never fails.
bool Equal(const Value& a, const Value& b);
// The `is` of Python, for the test `sameas`.
bool IsSame(const Value& a, const Value& b);
// Calls `a < b` and the like what they are. `op`: "<", "<=", ">", ">=".
absl::StatusOr<bool> Compare(const Value& a, const Value& b,
                             std::string_view op);
// TypeError: unhashable type.
absl::StatusOr<size_t> Hash(const Value& value);

// len(); TypeError where there is none.
absl::StatusOr<int64_t> Length(const Value& value);
bool HasLength(const Value& value);

// iter(); TypeError: 'int' object is not iterable.
absl::StatusOr<std::shared_ptr<IteratorObject>> Iterate(const Value& value);
// list().
absl::StatusOr<std::vector<Value>> Items(const Value& value);
// `item in container`.
absl::StatusOr<bool> Contains(const Value& container, const Value& item);

// The i-th part of a view; requires that there is one.
Value ViewAt(const ViewObject& view, size_t i);

// str() and repr(). kResourceExhausted for a text past kMaxStringBytes.
absl::StatusOr<std::string> Str(const Value& value);
absl::StatusOr<std::string> Repr(const Value& value);

// UndefinedError, or what else using `value` raises. Requires kUndefined.
absl::Status UseOfUndefined(const Value& value);

}  // namespace cohort::jinja
