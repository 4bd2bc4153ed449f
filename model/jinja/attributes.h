// What `a.b`, `a[b]` and `a[b:c]` give, as Jinja's immutable sandbox allows it:
// an attribute that would change a value, or that begins with an underscore, is
// there but cannot be used.
#pragma once

#include <optional>
#include <string_view>

#include "model/jinja/value.h"

namespace cohort::jinja {

// `value.name`: an attribute, else an item. Undefined if there is neither.
Result GetAttribute(const Value& value, std::string_view name);

// `value[key]`: an item, else an attribute. Undefined if there is neither.
Result GetItem(const Value& value, const Value& key);

// `value[start:stop:step]`; None stands for a part left out.
Result GetSlice(const Value& value, const Value& start, const Value& stop,
                const Value& step);

// Python's attribute alone; none if there is none. Used by the filter `attr`.
absl::StatusOr<std::optional<Value>> FindAttribute(const Value& value,
                                                   std::string_view name);

// Undefined: "'dict object' has no attribute 'name'".
Value NoAttribute(const Value& value, const Value& name);

// Methods by type; none if there is none of that name.
std::optional<Value> FindStringMethod(const Value& text, std::string_view name);
std::optional<Value> FindContainerMethod(const Value& value,
                                         std::string_view name);
std::optional<Value> FindNumberMethod(const Value& value,
                                      std::string_view name);
absl::StatusOr<std::optional<Value>> FindLoopAttribute(const Value& loop,
                                                       std::string_view name);

}  // namespace cohort::jinja
