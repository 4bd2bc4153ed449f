#include "model/jinja/filters.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_split.h"
#include "model/jinja/attributes.h"
#include "model/jinja/cat.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// Merges order[begin, middle) and order[middle, end), each sorted.
absl::Status Merge(const std::vector<Value>& keys, bool reverse, size_t begin,
                   size_t middle, size_t end, std::vector<size_t>* order) {
  std::vector<size_t> merged;
  merged.reserve(end - begin);
  size_t a = begin;
  size_t b = middle;
  while (a < middle && b < end) {
    const Value& first = keys[(*order)[a]];
    const Value& second = keys[(*order)[b]];
    // Equal ones keep their order, in a reversed sort too.
    COHORT_ASSIGN_OR_RETURN(
        const bool second_first,
        reverse ? Compare(first, second, "<") : Compare(second, first, "<"));
    merged.push_back(second_first ? (*order)[b++] : (*order)[a++]);
  }
  merged.insert(merged.end(), order->begin() + static_cast<ptrdiff_t>(a),
                order->begin() + static_cast<ptrdiff_t>(middle));
  merged.insert(merged.end(), order->begin() + static_cast<ptrdiff_t>(b),
                order->begin() + static_cast<ptrdiff_t>(end));
  std::copy(merged.begin(), merged.end(),
            order->begin() + static_cast<ptrdiff_t>(begin));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<size_t>> SortedOrder(const std::vector<Value>& keys,
                                                bool reverse) {
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t width = 1; width < keys.size(); width *= 2) {
    for (size_t begin = 0; begin + width < keys.size(); begin += 2 * width) {
      COHORT_RETURN_IF_ERROR(Merge(keys, reverse, begin, begin + width,
                                   std::min(begin + 2 * width, keys.size()),
                                   &order));
    }
  }
  return order;
}

Result GetPath(const Value& value, const Value& path) {
  if (path.Is(Kind::kNone)) return value;
  if (!path.Is(Kind::kString)) return GetItem(value, path);
  Value found = value;
  const std::vector<std::string> parts = absl::StrSplit(path.text(), '.');
  for (const std::string& part : parts) {
    const std::u32string characters = Decode(part);
    const bool is_number =
        !part.empty() &&
        std::all_of(characters.begin(), characters.end(), IsDigit);
    Value key = Value::String(part);
    if (is_number) {
      const std::optional<Value> number = ParseInt(part, 10);
      if (!number) return ValueError("invalid literal for int()");
      key = *number;
    }
    COHORT_ASSIGN_OR_RETURN(found, GetItem(found, key));
  }
  return found;
}

Value IgnoreCase(const Value& value) {
  return value.Is(Kind::kString) ? Value::String(Lower(value.text())) : value;
}

const FilterEntry* FindIn(const std::vector<FilterEntry>& entries,
                          std::string_view name) {
  for (const FilterEntry& entry : entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

const FilterEntry* FindFilter(std::string_view name) {
  for (const auto find :
       {FindTextFilter, FindListFilter, FindLazyFilter, FindNumberFilter}) {
    if (const FilterEntry* const entry = find(name)) return entry;
  }
  return nullptr;
}

Result ApplyFilter(std::string_view name, Arguments& arguments) {
  const FilterEntry* const filter = FindFilter(name);
  if (filter == nullptr) {
    return Error("TemplateRuntimeError", Cat("No filter named '", name, "'."));
  }
  if (filter->open != nullptr) return filter->open(arguments);
  COHORT_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make(Cat("do_", name), filter->signature, arguments));
  return filter->call(bound);
}

}  // namespace cohort::jinja
