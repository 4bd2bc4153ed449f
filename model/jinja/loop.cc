#include "model/jinja/loop.h"

#include "model/jinja/attributes.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

Result Cycle(const LoopObject& loop, Arguments& arguments) {
  const std::vector<Value>& items = arguments.positional;
  if (items.empty()) return TypeError("no items for cycling given");
  return items[static_cast<size_t>(loop.index0) % items.size()];
}

Result Changed(LoopObject* loop, Arguments& arguments) {
  const std::vector<Value>& now = arguments.positional;
  bool is_same = loop->changed && loop->changed->size() == now.size();
  for (size_t i = 0; is_same && i < now.size(); ++i) {
    is_same = IsSame((*loop->changed)[i], now[i]) ||
              Equal((*loop->changed)[i], now[i]);
  }
  loop->changed = now;
  return Value::Bool(!is_same);
}

// An attribute that is computed, and may fail in doing so.
absl::StatusOr<std::optional<Value>> Compute(LoopObject& loop,
                                             std::string_view name) {
  if (name == "index") return Value::Int(loop.index0 + 1);
  if (name == "index0") return Value::Int(loop.index0);
  if (name == "first") return Value::Bool(loop.index0 == 0);
  if (name == "depth") return Value::Int(loop.depth0 + 1);
  if (name == "depth0") return Value::Int(loop.depth0);
  if (name == "length" || name == "revindex" || name == "revindex0") {
    COHORT_ASSIGN_OR_RETURN(const int64_t size, loop.Size());
    if (name == "length") return Value::Int(size);
    return Value::Int(size - loop.index0 - (name == "revindex" ? 0 : 1));
  }
  if (name == "last") {
    COHORT_ASSIGN_OR_RETURN(const bool is_last, loop.IsLast());
    return Value::Bool(is_last);
  }
  if (name == "previtem") {
    return loop.index0 == 0 ? Value::Undefined("there is no previous item")
                            : loop.before;
  }
  if (name == "nextitem") {
    COHORT_ASSIGN_OR_RETURN(const bool is_last, loop.IsLast());
    return is_last ? Value::Undefined("there is no next item") : *loop.after;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<bool> LoopObject::Next() {
  Value item;
  if (after) {
    item = *std::move(after);
    after.reset();
  } else {
    COHORT_ASSIGN_OR_RETURN(const bool is_there, iterator->next(&item));
    if (!is_there) return false;
  }
  ++index0;
  before = std::move(current);
  current = std::move(item);
  return true;
}

absl::StatusOr<bool> LoopObject::IsLast() {
  if (after) return false;
  Value item;
  COHORT_ASSIGN_OR_RETURN(const bool is_there, iterator->next(&item));
  if (is_there) after = std::move(item);
  return !is_there;
}

absl::StatusOr<int64_t> LoopObject::Size() {
  if (length) return *length;
  // What goes by once is taken whole to be counted.
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> rest,
                          Items(Value::Of(Kind::kIterator, iterator)));
  length = static_cast<int64_t>(rest.size()) + index0 + 1 + (after ? 1 : 0);
  COHORT_ASSIGN_OR_RETURN(const Value list, MakeList(rest));
  COHORT_ASSIGN_OR_RETURN(iterator, Iterate(list));
  return *length;
}

absl::StatusOr<std::optional<Value>> FindLoopAttribute(const Value& value,
                                                       std::string_view name) {
  // The loop outlives what refers to it: it belongs to the render.
  LoopObject* const loop = &value.As<LoopObject>();
  if (name == "cycle") {
    return MakeCallable("cycle", [loop](Arguments& arguments) {
      return Cycle(*loop, arguments);
    });
  }
  if (name == "changed") {
    return MakeCallable("changed", [loop](Arguments& arguments) {
      return Changed(loop, arguments);
    });
  }
  return Compute(*loop, name);
}

}  // namespace cohort::jinja
