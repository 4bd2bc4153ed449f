// The filters of Jinja 3.1.6, with tojson as transformers sets it up.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "model/jinja/signature.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

struct FilterEntry {
  std::string_view name;
  Signature signature;  // The filtered value is its first.
  Result (*call)(const Bound& arguments) = nullptr;
  // Takes its arguments as they come, the filtered value first.
  Result (*open)(Arguments& arguments) = nullptr;
};

// Null if there is none of that name.
const FilterEntry* FindFilter(std::string_view name);

// `arguments`: the filtered value first. TemplateRuntimeError if there is no
// such filter.
Result ApplyFilter(std::string_view name, Arguments& arguments);

// Looks up "a.b.0" in a value, dot by dot; None stands for the value itself.
Result GetPath(const Value& value, const Value& path);
// A str in lower case; anything else as it is.
Value IgnoreCase(const Value& value);

// The order that sorts `keys`: stable, as sorted() has it. TypeError where two
// cannot be compared.
absl::StatusOr<std::vector<size_t>> SortedOrder(const std::vector<Value>& keys,
                                                bool reverse);

// Groups of filters, by file.
const FilterEntry* FindTextFilter(std::string_view name);
const FilterEntry* FindListFilter(std::string_view name);
const FilterEntry* FindLazyFilter(std::string_view name);
const FilterEntry* FindNumberFilter(std::string_view name);

// The entry of `entries` with that name; null if there is none.
const FilterEntry* FindIn(const std::vector<FilterEntry>& entries,
                          std::string_view name);

}  // namespace cohort::jinja
