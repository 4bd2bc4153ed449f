// Filters over sequences that give their result at once.
#include <algorithm>

#include "absl/strings/str_split.h"
#include "model/jinja/cat.h"
#include "model/jinja/filters.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// The keys that `items` are compared by.
absl::StatusOr<std::vector<Value>> Keys(const std::vector<Value>& items,
                                        const Value& path,
                                        bool case_sensitive) {
  std::vector<Value> keys;
  keys.reserve(items.size());
  for (const Value& item : items) {
    COHORT_ASSIGN_OR_RETURN(Value key, GetPath(item, path));
    keys.push_back(case_sensitive ? std::move(key) : IgnoreCase(key));
  }
  return keys;
}

Result Sort(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(in[0]));
  const bool case_sensitive = in.Flag(2, false);
  const Value attribute = in.Or(3, Value::None());
  // "a,b": by a, then by b.
  std::vector<Value> paths = {attribute};
  if (attribute.Is(Kind::kString)) {
    paths.clear();
    const std::vector<std::string> names =
        absl::StrSplit(attribute.text(), ',');
    for (const std::string& name : names) {
      paths.push_back(Value::String(name));
    }
  }
  std::vector<std::vector<Value>> parts(items.size());
  for (const Value& path : paths) {
    COHORT_ASSIGN_OR_RETURN(const std::vector<Value> keys,
                            Keys(items, path, case_sensitive));
    for (size_t i = 0; i < keys.size(); ++i) parts[i].push_back(keys[i]);
  }
  std::vector<Value> keys;
  for (std::vector<Value>& part : parts) {
    COHORT_ASSIGN_OR_RETURN(Value key, MakeList(std::move(part)));
    keys.push_back(std::move(key));
  }
  COHORT_ASSIGN_OR_RETURN(const std::vector<size_t> order,
                          SortedOrder(keys, in.Flag(1, false)));
  std::vector<Value> sorted;
  for (const size_t i : order) sorted.push_back(items[i]);
  return MakeList(std::move(sorted));
}

Result SortDict(const Bound& in) {
  const Value by = in.Or(2, Value::String("key"));
  const bool by_value = by.Is(Kind::kString) && by.text() == "value";
  if (!by_value && !(by.Is(Kind::kString) && by.text() == "key")) {
    return Error("FilterArgumentError",
                 "You can only sort by either \"key\" or \"value\"");
  }
  if (in[0].Is(Kind::kUndefined)) return UseOfUndefined(in[0]);
  if (!in[0].Is(Kind::kDict)) {
    return Error("AttributeError", Cat("'", TypeName(in[0]),
                                       "' object has no attribute "
                                       "'items'"));
  }
  const auto& entries = in[0].dict().entries;
  std::vector<Value> keys;
  for (const auto& [key, value] : entries) {
    const Value& part = by_value ? value : key;
    keys.push_back(in.Flag(1, false) ? part : IgnoreCase(part));
  }
  COHORT_ASSIGN_OR_RETURN(const std::vector<size_t> order,
                          SortedOrder(keys, in.Flag(3, false)));
  std::vector<Value> sorted;
  for (const size_t i : order) {
    COHORT_ASSIGN_OR_RETURN(Value pair,
                            MakeTuple({entries[i].first, entries[i].second}));
    sorted.push_back(std::move(pair));
  }
  return MakeList(std::move(sorted));
}

// The first item before which (op "<") or behind which (op ">") all others are.
Result Extreme(const Bound& in, std::string_view op) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(in[0]));
  if (items.empty()) {
    return Value::Undefined("No aggregated item, sequence was empty.");
  }
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<Value> keys,
      Keys(items, in.Or(2, Value::None()), in.Flag(1, false)));
  size_t best = 0;
  for (size_t i = 1; i < items.size(); ++i) {
    COHORT_ASSIGN_OR_RETURN(const bool better,
                            Compare(keys[i], keys[best], op));
    if (better) best = i;
  }
  return items[best];
}

Result Min(const Bound& in) { return Extreme(in, "<"); }
Result Max(const Bound& in) { return Extreme(in, ">"); }

Result Sum(const Bound& in) {
  Value total = in.Or(2, Value::Int(0));
  if (total.Is(Kind::kString)) {
    return TypeError("sum() can't sum strings [use ''.join(seq) instead]");
  }
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(in[0]));
  int64_t work = 0;
  for (const Value& item : items) {
    Value term = item;
    if (in.HasSome(1)) {
      COHORT_ASSIGN_OR_RETURN(term, GetPath(item, in[1]));
    }
    COHORT_ASSIGN_OR_RETURN(total, Operate("+", total, term));
    // Lists that are added up are copied each time.
    COHORT_RETURN_IF_ERROR(CheckSize(0, work += total.weight()));
  }
  return total;
}

Result First(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const auto iterator, Iterate(in[0]));
  Value item;
  COHORT_ASSIGN_OR_RETURN(const bool is_there, iterator->next(&item));
  return is_there ? item
                  : Value::Undefined("No first item, sequence was empty.");
}

bool IsReversible(const Value& value) {
  return HasLength(value) && !value.Is(Kind::kUndefined);
}

Result Last(const Bound& in) {
  if (in[0].Is(Kind::kUndefined)) return UseOfUndefined(in[0]);
  if (!IsReversible(in[0])) {
    return TypeError(Cat("'", TypeName(in[0]), "' object is not reversible"));
  }
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(in[0]));
  return items.empty() ? Value::Undefined("No last item, sequence was empty.")
                       : items.back();
}

Result ToList(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(std::vector<Value> items, Items(in[0]));
  return MakeList(std::move(items));
}

Result Reverse(const Bound& in) {
  const Value& value = in[0];
  if (value.Is(Kind::kString)) {
    std::u32string text = Decode(value.text());
    std::reverse(text.begin(), text.end());
    return MakeString(Encode(text), value.markup());
  }
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  absl::StatusOr<std::vector<Value>> items = Items(value);
  if (!items.ok()) {
    if (Iterate(value).ok()) return items.status();
    return Error("FilterArgumentError", "argument must be iterable");
  }
  std::reverse(items->begin(), items->end());
  COHORT_ASSIGN_OR_RETURN(const Value list, MakeList(*std::move(items)));
  if (!IsReversible(value)) return list;
  COHORT_ASSIGN_OR_RETURN(auto iterator, Iterate(list));
  iterator->type = value.IsSequence() ? "list_reverseiterator" : "reversed";
  return Value::Of(Kind::kIterator, std::move(iterator));
}

Result Group(std::vector<Value> items, const Value& key) {
  COHORT_ASSIGN_OR_RETURN(const Value list, MakeList(std::move(items)));
  COHORT_ASSIGN_OR_RETURN(Value group, MakeTuple({key, list}));
  group.As<ListObject>().is_group = true;
  return group;
}

Result GroupBy(const Bound& in) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(in[0]));
  const bool case_sensitive = in.Flag(3, false);
  std::vector<Value> keys;
  for (const Value& item : items) {
    COHORT_ASSIGN_OR_RETURN(Value key, GetPath(item, in[1]));
    if (in.HasSome(2) && key.Is(Kind::kUndefined)) key = in[2];
    keys.push_back(std::move(key));
  }
  std::vector<Value> folded = keys;
  if (!case_sensitive) {
    for (Value& key : folded) key = IgnoreCase(key);
  }
  COHORT_ASSIGN_OR_RETURN(const std::vector<size_t> order,
                          SortedOrder(folded, false));
  std::vector<Value> groups;
  for (size_t i = 0; i < order.size();) {
    const size_t first = order[i];
    std::vector<Value> members;
    for (; i < order.size() && Equal(folded[order[i]], folded[first]); ++i) {
      members.push_back(items[order[i]]);
    }
    if (members.empty()) ++i;  // A NaN, which equals nothing.
    COHORT_ASSIGN_OR_RETURN(Value group,
                            Group(std::move(members), keys[first]));
    groups.push_back(std::move(group));
  }
  return MakeList(std::move(groups));
}

}  // namespace

const FilterEntry* FindListFilter(std::string_view name) {
  static const auto* const entries = new std::vector<FilterEntry>{
      {"dictsort", {{"value", "case_sensitive", "by", "reverse"}, 1}, SortDict},
      {"first", {{"seq"}, 1}, First},
      {"groupby",
       {{"value", "attribute", "default", "case_sensitive"}, 2},
       GroupBy},
      {"last", {{"seq"}, 1}, Last},
      {"list", {{"value"}, 1}, ToList},
      {"max", {{"value", "case_sensitive", "attribute"}, 1}, Max},
      {"min", {{"value", "case_sensitive", "attribute"}, 1}, Min},
      {"reverse", {{"value"}, 1}, Reverse},
      {"sort", {{"value", "reverse", "case_sensitive", "attribute"}, 1}, Sort},
      {"sum", {{"iterable", "attribute", "start"}, 1}, Sum},
  };
  return FindIn(*entries, name);
}

}  // namespace cohort::jinja
