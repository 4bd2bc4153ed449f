// Filters that give their items one after the other, when they are asked for:
// what they give can be gone through once, and fails where it is used.
#include <algorithm>

#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/number.h"
#include "model/jinja/tests.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// Over the items of `value`, which is asked to iterate when the first item is.
// `step` gives each item's result, or none for an item that is left out.
using Step = std::function<absl::StatusOr<std::optional<Value>>(const Value&)>;

// An untrue value has none, unless it `must_iterate`.
Value MakeLazy(const Value& value, Step step, bool must_iterate = false) {
  std::shared_ptr<IteratorObject> source;
  return MakeIterator(
      [value, step = std::move(step), source,
       must_iterate](Value* item) mutable -> absl::StatusOr<bool> {
        if (source == nullptr) {
          if (!must_iterate && !IsTrue(value)) return false;
          COHORT_ASSIGN_OR_RETURN(source, Iterate(value));
        }
        while (true) {
          Value next;
          COHORT_ASSIGN_OR_RETURN(const bool is_there, source->next(&next));
          if (!is_there) return false;
          COHORT_ASSIGN_OR_RETURN(std::optional<Value> result, step(next));
          if (!result) continue;
          *item = *std::move(result);
          return true;
        }
      },
      value);
}

absl::StatusOr<std::string> NameOf(const Value& name, std::string_view what) {
  if (name.Is(Kind::kString)) return name.text();
  COHORT_ASSIGN_OR_RETURN(const std::string text, Repr(name));
  return Error("TemplateRuntimeError", Cat("No ", what, " named ", text, "."));
}

absl::StatusOr<Step> MapStep(const Arguments& in) {
  const auto named = [&](std::string_view name) -> const Value* {
    for (const auto& [theirs, value] : in.named) {
      if (theirs == name) return &value;
    }
    return nullptr;
  };
  if (const Value* const attribute = named("attribute");
      in.positional.size() == 1 && attribute != nullptr) {
    const Value* const fallback = named("default");
    if (in.named.size() > (fallback == nullptr ? 1u : 2u)) {
      return Error("FilterArgumentError", "Unexpected keyword argument");
    }
    return Step([path = *attribute,
                 fallback = fallback == nullptr ? Value() : *fallback](
                    const Value& item) -> absl::StatusOr<std::optional<Value>> {
      COHORT_ASSIGN_OR_RETURN(Value found, GetPath(item, path));
      if (!fallback.Is(Kind::kNone) && found.Is(Kind::kUndefined)) {
        return fallback;
      }
      return found;
    });
  }
  if (in.positional.size() < 2) {
    return Error("FilterArgumentError", "map requires a filter argument");
  }
  return Step([in](const Value& item) -> absl::StatusOr<std::optional<Value>> {
    COHORT_ASSIGN_OR_RETURN(const std::string name,
                            NameOf(in.positional[1], "filter"));
    Arguments arguments;
    arguments.positional = {item};
    arguments.positional.insert(arguments.positional.end(),
                                in.positional.begin() + 2, in.positional.end());
    arguments.named = in.named;
    COHORT_ASSIGN_OR_RETURN(Value result, ApplyFilter(name, arguments));
    return result;
  });
}

// What select and its like do to an item: the test that their arguments name
// decides, or the item's truth.
absl::StatusOr<Step> SelectStep(const Arguments& in, bool keep, bool by_path) {
  const size_t first = by_path ? 2 : 1;
  if (by_path && in.positional.size() < 2) {
    return Error("FilterArgumentError", "Missing parameter for attribute name");
  }
  return Step([in, keep, by_path, first](
                  const Value& item) -> absl::StatusOr<std::optional<Value>> {
    Value tested = item;
    if (by_path) {
      COHORT_ASSIGN_OR_RETURN(tested, GetPath(item, in.positional[1]));
    }
    bool holds = false;
    if (in.positional.size() <= first) {
      holds = IsTrue(tested);
    } else {
      COHORT_ASSIGN_OR_RETURN(const std::string name,
                              NameOf(in.positional[first], "test"));
      Arguments arguments;
      arguments.positional = {tested};
      arguments.positional.insert(
          arguments.positional.end(),
          in.positional.begin() + static_cast<ptrdiff_t>(first) + 1,
          in.positional.end());
      arguments.named = in.named;
      COHORT_ASSIGN_OR_RETURN(holds, ApplyTest(name, arguments));
    }
    if (holds != keep) return std::nullopt;
    return item;
  });
}

// A generator that finds out what is wrong with its arguments when it begins.
Result Begin(const Arguments& in, absl::StatusOr<Step> step) {
  if (in.positional.empty()) return TypeError("a filter takes a value");
  if (step.ok()) return MakeLazy(in.positional[0], *std::move(step));
  return MakeLazy(in.positional[0],
                  [status = step.status()](
                      const Value&) -> absl::StatusOr<std::optional<Value>> {
                    return status;
                  });
}

Result Map(Arguments& in) { return Begin(in, MapStep(in)); }
Result Select(Arguments& in) { return Begin(in, SelectStep(in, true, false)); }
Result Reject(Arguments& in) { return Begin(in, SelectStep(in, false, false)); }
Result SelectAttribute(Arguments& in) {
  return Begin(in, SelectStep(in, true, true));
}
Result RejectAttribute(Arguments& in) {
  return Begin(in, SelectStep(in, false, true));
}

// A generator whose items are all made when it is first asked.
Value MakeLate(const Value& value,
               std::function<absl::StatusOr<std::vector<Value>>()> make) {
  auto items = std::make_shared<std::vector<Value>>();
  return MakeIterator(
      [make = std::move(make), items, at = size_t{0},
       is_made = false](Value* item) mutable -> absl::StatusOr<bool> {
        if (!is_made) {
          COHORT_ASSIGN_OR_RETURN(*items, make());
          is_made = true;
        }
        if (at >= items->size()) return false;
        *item = (*items)[at++];
        return true;
      },
      value);
}

Result ItemsOf(const Bound& in) {
  const Value value = in[0];
  return MakeLate(value, [value]() -> absl::StatusOr<std::vector<Value>> {
    std::vector<Value> items;
    if (value.Is(Kind::kUndefined)) return items;
    if (!value.Is(Kind::kDict)) {
      return TypeError("Can only get item pairs from a mapping.");
    }
    for (const auto& [key, entry] : value.dict().entries) {
      COHORT_ASSIGN_OR_RETURN(Value pair, MakeTuple({key, entry}));
      items.push_back(std::move(pair));
    }
    return items;
  });
}

Result Unique(const Bound& in) {
  const bool case_sensitive = in.Flag(1, false);
  const Value path = in.Or(2, Value::None());
  auto keys = std::make_shared<DictObject>();
  return MakeLazy(
      in[0],
      [=](const Value& item) -> absl::StatusOr<std::optional<Value>> {
        COHORT_ASSIGN_OR_RETURN(Value key, GetPath(item, path));
        if (!case_sensitive) key = IgnoreCase(key);
        COHORT_ASSIGN_OR_RETURN(const size_t hash, Hash(key));
        const auto [begin, end] = keys->places.equal_range(hash);
        for (auto place = begin; place != end; ++place) {
          if (Equal(keys->entries[place->second].first, key)) {
            return std::nullopt;
          }
        }
        keys->places.emplace(hash, keys->entries.size());
        keys->entries.emplace_back(key, Value());
        return item;
      },
      /*must_iterate=*/true);
}

Result Batch(const Bound& in) {
  const Value value = in[0];
  COHORT_ASSIGN_OR_RETURN(const int64_t size, in.Int(1, 1));
  const Value fill = in.Or(2, Value::None());
  return MakeLate(value, [=]() -> absl::StatusOr<std::vector<Value>> {
    COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(value));
    std::vector<Value> batches;
    std::vector<Value> batch;
    const auto flush = [&]() -> absl::Status {
      COHORT_ASSIGN_OR_RETURN(Value list, MakeList(std::move(batch)));
      batches.push_back(std::move(list));
      batch.clear();
      return absl::OkStatus();
    };
    for (const Value& item : items) {
      // A size of 0 or less is reached never, but before the first item.
      if (static_cast<int64_t>(batch.size()) == size) {
        COHORT_RETURN_IF_ERROR(flush());
      }
      batch.push_back(item);
    }
    if (batch.empty()) return batches;
    COHORT_RETURN_IF_ERROR(CheckSize(0, fill.Is(Kind::kNone) ? 0 : size));
    while (!fill.Is(Kind::kNone) && static_cast<int64_t>(batch.size()) < size) {
      batch.push_back(fill);
    }
    COHORT_RETURN_IF_ERROR(flush());
    return batches;
  });
}

Result Slice(const Bound& in) {
  const Value value = in[0];
  COHORT_ASSIGN_OR_RETURN(const int64_t slices, in.Int(1, 1));
  const Value fill = in.Or(2, Value::None());
  return MakeLate(value, [=]() -> absl::StatusOr<std::vector<Value>> {
    COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(value));
    if (slices == 0) {
      return Error("ZeroDivisionError", "integer division or modulo by zero");
    }
    COHORT_RETURN_IF_ERROR(CheckSize(0, slices));
    std::vector<Value> result;
    const auto size = static_cast<int64_t>(items.size());
    auto from = items.begin();
    for (int64_t i = 0; i < slices; ++i) {
      const bool has_extra = i < size % slices;
      const auto to = from + size / slices + (has_extra ? 1 : 0);
      std::vector<Value> part(from, to);
      if (!fill.Is(Kind::kNone) && !has_extra) part.push_back(fill);
      COHORT_ASSIGN_OR_RETURN(Value list, MakeList(std::move(part)));
      result.push_back(std::move(list));
      from = to;
    }
    return result;
  });
}

}  // namespace

const FilterEntry* FindLazyFilter(std::string_view name) {
  static const auto* const entries = new std::vector<FilterEntry>{
      {"batch", {{"value", "linecount", "fill_with"}, 2}, Batch},
      {"items", {{"value"}, 1}, ItemsOf},
      {"map", {}, nullptr, Map},
      {"reject", {}, nullptr, Reject},
      {"rejectattr", {}, nullptr, RejectAttribute},
      {"select", {}, nullptr, Select},
      {"selectattr", {}, nullptr, SelectAttribute},
      {"slice", {{"value", "slices", "fill_with"}, 2}, Slice},
      {"unique", {{"value", "case_sensitive", "attribute"}, 1}, Unique},
  };
  return FindIn(*entries, name);
}

}  // namespace cohort::jinja
