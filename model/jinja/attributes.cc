#include "model/jinja/attributes.h"

#include <algorithm>
#include <array>

#include "model/jinja/cat.h"
#include "model/jinja/loop.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

constexpr std::array<std::string_view, 13> kChangesOfContainers = {
    "append",  "clear",       "extend",     "insert", "pop",
    "popitem", "remove",      "reverse",    "sort",   "setdefault",
    "update",  "__setitem__", "__delitem__"};

// Bounds and steps of ranges, so that their places stay within 64 bits.
constexpr int64_t kMaxReach = int64_t{1} << 44;

// What every Python object has.
constexpr std::array<std::string_view, 14> kInternals = {
    "__class__",  "__doc__",          "__init__",   "__new__",
    "__dir__",    "__repr__",         "__str__",    "__hash__",
    "__eq__",     "__getattribute__", "__reduce__", "__sizeof__",
    "__format__", "__init_subclass__"};

template <typename Names>
bool IsOneOf(std::string_view name, const Names& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsForbidden(const Value& value, std::string_view name) {
  if (IsOneOf(name, kInternals)) return !value.Is(Kind::kNamespace);
  if (value.Is(Kind::kDict)) {
    return name == "clear" || name == "pop" || name == "popitem" ||
           name == "setdefault" || name == "update";
  }
  return value.Is(Kind::kList) && name != "popitem" && name != "setdefault" &&
         name != "update" && IsOneOf(name, kChangesOfContainers);
}

Value Forbidden(const Value& value, std::string_view name) {
  return Value::Undefined(Cat("access to attribute '", name, "' of '",
                              TypeName(value), "' object is unsafe."),
                          /*is_security_error=*/true);
}

// Python's `value[key]` alone; none where it raises a TypeError or LookupError.
absl::StatusOr<std::optional<Value>> FindItem(const Value& value,
                                              const Value& key) {
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  if (value.Is(Kind::kDict)) {
    if (!Hash(key).ok()) return std::nullopt;
    const Value* const found = value.dict().Find(key);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  const bool has_places = value.IsSequence() || value.Is(Kind::kString) ||
                          value.Is(Kind::kBytes) || value.Is(Kind::kRange);
  if (!has_places || !key.IsInteger() || key.IsBig()) return std::nullopt;
  COHORT_ASSIGN_OR_RETURN(const int64_t size, Length(value));
  const int64_t i = key.small() < 0 ? key.small() + size : key.small();
  if (i < 0 || i >= size) return std::nullopt;
  switch (value.kind()) {
    case Kind::kRange:
      return value.As<RangeObject>().At(i);
    case Kind::kBytes:
      return Value::Int(
          static_cast<uint8_t>(value.text()[static_cast<size_t>(i)]));
    case Kind::kString: {
      const size_t begin = ByteOf(value.text(), i);
      const std::string_view rest =
          std::string_view(value.text()).substr(begin);
      return Value::String(std::string(rest.substr(0, ByteOf(rest, 1))),
                           value.markup());
    }
    default:
      return value.items()[static_cast<size_t>(i)];
  }
}

struct SliceOf {
  int64_t start = 0;
  int64_t end = 0;
  int64_t step = 1;
  std::vector<int64_t> places;  // First to last.
};

// What a slice takes of `size` items.
absl::StatusOr<SliceOf> SlicePlaces(int64_t size, const Value& start,
                                    const Value& stop, const Value& step) {
  constexpr std::string_view kNoIndex =
      "slice indices must be integers or None or have an __index__ method";
  int64_t by = 1;
  if (!step.Is(Kind::kNone)) {
    COHORT_ASSIGN_OR_RETURN(by, ToIndex(step, kNoIndex));
    if (by == 0) return ValueError("slice step cannot be zero");
  }
  const auto clamp = [&](const Value& value,
                         int64_t fallback) -> absl::StatusOr<int64_t> {
    if (value.Is(Kind::kNone)) return fallback;
    COHORT_ASSIGN_OR_RETURN(int64_t i, ToIndex(value, kNoIndex));
    if (i < 0) i += size;
    return by > 0 ? std::clamp<int64_t>(i, 0, size)
                  : std::clamp<int64_t>(i, -1, size - 1);
  };
  SliceOf slice;
  slice.step = by;
  COHORT_ASSIGN_OR_RETURN(slice.start, clamp(start, by > 0 ? 0 : size - 1));
  COHORT_ASSIGN_OR_RETURN(slice.end, clamp(stop, by > 0 ? size : -1));
  for (int64_t i = slice.start; by > 0 ? i < slice.end : i > slice.end;
       i += by) {
    slice.places.push_back(i);
    if (by > size || by < -size) break;
  }
  return slice;
}

Result SliceText(const Value& value, const std::vector<int64_t>& places) {
  const std::string& text = value.text();
  std::string result;
  if (value.Is(Kind::kBytes) || IsAscii(text)) {
    for (const int64_t i : places) result += text[static_cast<size_t>(i)];
  } else {
    const std::u32string characters = Decode(text);
    for (const int64_t i : places) {
      Append(characters[static_cast<size_t>(i)], &result);
    }
  }
  if (value.Is(Kind::kBytes)) return Value::Bytes(std::move(result));
  return Value::String(std::move(result), value.markup());
}

Result SliceRange(const RangeObject& range, const SliceOf& slice) {
  auto result = std::make_shared<RangeObject>();
  result->size = static_cast<int64_t>(slice.places.size());
  const auto reach = [&](int64_t from, int64_t by, int64_t* to) {
    const __int128 place = __int128{from} + __int128{by} * range.step;
    *to = static_cast<int64_t>(place);
    return place < kMaxReach && place > -kMaxReach;
  };
  if (!reach(0, slice.step, &result->step) ||
      !reach(range.start, slice.start, &result->start) ||
      !reach(range.start, slice.end, &result->stop)) {
    return Error("OverflowError", "a range reaches too far");
  }
  return Value::Of(Kind::kRange, std::move(result));
}

// "{name: value}" of the data attributes that some types have.
std::optional<Value> FindData(const Value& value, std::string_view name) {
  if (value.Is(Kind::kRange)) {
    const auto& range = value.As<RangeObject>();
    if (name == "start") return Value::Int(range.start);
    if (name == "stop") return Value::Int(range.stop);
    if (name == "step") return Value::Int(range.step);
  }
  if (value.Is(Kind::kTuple) && value.As<ListObject>().is_group) {
    if (name == "grouper") return value.items()[0];
    if (name == "list") return value.items()[1];
  }
  return std::nullopt;
}

}  // namespace

Value NoAttribute(const Value& value, const Value& name) {
  const std::string type =
      value.Is(Kind::kNone) ? "None" : Cat(TypeName(value), " object");
  if (name.Is(Kind::kString)) {
    return Value::Undefined(
        Cat("'", type, "' has no attribute ", Quote(name.text())));
  }
  const absl::StatusOr<std::string> text = Repr(name);
  return Value::Undefined(
      Cat(type, " has no element ", text.ok() ? *text : "?"));
}

absl::StatusOr<std::optional<Value>> FindAttribute(const Value& value,
                                                   std::string_view name) {
  if (value.Is(Kind::kUndefined)) {
    const bool is_internal = name.size() > 4 && name.substr(0, 2) == "__" &&
                             name.substr(name.size() - 2) == "__";
    if (!is_internal) return UseOfUndefined(value);
  }
  if (IsForbidden(value, name)) return Forbidden(value, name);
  switch (value.kind()) {
    case Kind::kString:
      return FindStringMethod(value, name);
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return FindNumberMethod(value, name);
    case Kind::kNamespace: {
      const Value* const found = value.As<NamespaceObject>().Find(name);
      return found == nullptr ? std::nullopt : std::optional<Value>(*found);
    }
    case Kind::kLoop:
      return FindLoopAttribute(value, name);
    default:
      break;
  }
  if (std::optional<Value> data = FindData(value, name)) return data;
  return FindContainerMethod(value, name);
}

Result GetAttribute(const Value& value, std::string_view name) {
  COHORT_ASSIGN_OR_RETURN(const std::optional<Value> attribute,
                          FindAttribute(value, name));
  if (attribute) return *attribute;
  const Value key = Value::String(std::string(name));
  COHORT_ASSIGN_OR_RETURN(const std::optional<Value> item,
                          FindItem(value, key));
  return item ? *item : NoAttribute(value, key);
}

Result GetItem(const Value& value, const Value& key) {
  COHORT_ASSIGN_OR_RETURN(const std::optional<Value> item,
                          FindItem(value, key));
  if (item) return *item;
  if (key.Is(Kind::kString)) {
    COHORT_ASSIGN_OR_RETURN(const std::optional<Value> attribute,
                            FindAttribute(value, key.text()));
    if (attribute) return *attribute;
  }
  return NoAttribute(value, key);
}

Result GetSlice(const Value& value, const Value& start, const Value& stop,
                const Value& step) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return UseOfUndefined(value);
    case Kind::kDict:
      return TypeError("unhashable type: 'slice'");
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
      break;
    default:
      return TypeError(
          Cat("'", TypeName(value), "' object is not subscriptable"));
  }
  COHORT_ASSIGN_OR_RETURN(const int64_t size, Length(value));
  COHORT_ASSIGN_OR_RETURN(const SliceOf slice,
                          SlicePlaces(size, start, stop, step));
  if (value.Is(Kind::kRange)) {
    return SliceRange(value.As<RangeObject>(), slice);
  }
  const std::vector<int64_t>& places = slice.places;
  if (!value.IsSequence()) return SliceText(value, places);
  std::vector<Value> items;
  items.reserve(places.size());
  for (const int64_t i : places) {
    items.push_back(value.items()[static_cast<size_t>(i)]);
  }
  return value.Is(Kind::kList) ? MakeList(std::move(items))
                               : MakeTuple(std::move(items));
}

}  // namespace cohort::jinja
