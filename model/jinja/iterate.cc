// Lengths and iteration.
#include <algorithm>

#include "model/jinja/cat.h"
#include "model/jinja/text.h"
#include "model/jinja/value.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

std::shared_ptr<IteratorObject> Iterator(
    const Value& over, std::string_view type,
    std::function<absl::StatusOr<bool>(Value*)> next) {
  return std::static_pointer_cast<IteratorObject>(
      MakeIterator(std::move(next), over, type).object());
}

std::shared_ptr<IteratorObject> IterateText(const Value& text) {
  return Iterator(
      text, "str_iterator", [text, at = size_t{0}](Value* item) mutable {
        const std::string_view rest = std::string_view(text.text()).substr(at);
        if (rest.empty()) return false;
        const size_t length = ByteOf(rest, 1);
        *item = Value::String(std::string(rest.substr(0, length)));
        at += length;
        return true;
      });
}

// Over what has places 0 to `size`.
template <typename At>
std::shared_ptr<IteratorObject> IteratePlaces(const Value& over,
                                              std::string_view type,
                                              size_t size, At item_at) {
  return Iterator(over, type,
                  [over, size, item_at, i = size_t{0}](Value* item) mutable {
                    if (i >= size) return false;
                    *item = item_at(over, i++);
                    return true;
                  });
}

}  // namespace

Value ViewAt(const ViewObject& view, size_t i) {
  const auto& [key, value] = view.dict.dict().entries[i];
  switch (view.part) {
    case ViewObject::kKeys:
      return key;
    case ViewObject::kValues:
      return value;
    case ViewObject::kItems:
      break;
  }
  // Both were in a container: a tuple of them is no deeper.
  return *MakeTuple({key, value});
}

absl::StatusOr<int64_t> Length(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return CountCharacters(value.text());
    case Kind::kBytes:
      return static_cast<int64_t>(value.text().size());
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(value.items().size());
    case Kind::kDict:
      return static_cast<int64_t>(value.dict().entries.size());
    case Kind::kRange:
      return value.As<RangeObject>().size;
    case Kind::kView:
      return Length(value.As<ViewObject>().dict);
    default:
      return TypeError(
          Cat("object of type '", TypeName(value), "' has no len()"));
  }
}

absl::StatusOr<std::shared_ptr<IteratorObject>> Iterate(const Value& value) {
  COHORT_RETURN_IF_ERROR(CheckSize(value.depth() + 1, 0));
  switch (value.kind()) {
    case Kind::kUndefined:
      return Iterator(value, "generator", [](Value*) { return false; });
    case Kind::kString:
      return IterateText(value);
    case Kind::kBytes:
      return IteratePlaces(
          value, "bytes_iterator", value.text().size(),
          [](const Value& bytes, size_t i) {
            return Value::Int(static_cast<uint8_t>(bytes.text()[i]));
          });
    case Kind::kList:
    case Kind::kTuple:
      return IteratePlaces(
          value, "list_iterator", value.items().size(),
          [](const Value& list, size_t i) { return list.items()[i]; });
    case Kind::kDict:
      return IteratePlaces(value, "dict_keyiterator",
                           value.dict().entries.size(),
                           [](const Value& dict, size_t i) {
                             return dict.dict().entries[i].first;
                           });
    case Kind::kRange:
      return IteratePlaces(
          value, "range_iterator",
          static_cast<size_t>(value.As<RangeObject>().size),
          [](const Value& range, size_t i) {
            return range.As<RangeObject>().At(static_cast<int64_t>(i));
          });
    case Kind::kView:
      return IteratePlaces(value, "dict_itemiterator",
                           static_cast<size_t>(*Length(value)),
                           [](const Value& view, size_t i) {
                             return ViewAt(view.As<ViewObject>(), i);
                           });
    case Kind::kIterator:
      return std::static_pointer_cast<IteratorObject>(value.object());
    default:
      return TypeError(Cat("'", TypeName(value), "' object is not iterable"));
  }
}

absl::StatusOr<std::vector<Value>> Items(const Value& value) {
  if (value.IsSequence()) return value.items();
  COHORT_ASSIGN_OR_RETURN(const auto iterator, Iterate(value));
  std::vector<Value> items;
  Value item;
  int64_t weight = 0;
  while (true) {
    COHORT_ASSIGN_OR_RETURN(const bool is_there, iterator->next(&item));
    if (!is_there) return items;
    weight += item.weight();
    COHORT_RETURN_IF_ERROR(CheckSize(0, weight));
    items.push_back(item);
  }
}

}  // namespace cohort::jinja
