// Python's operators on values, and its numbers as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

// `a op b`; op is one of + - * / // % **. Strings, lists and tuples take part
// as in Python ("a" + "b", [0] * 3, "%s" % x).
Result Operate(std::string_view op, const Value& a, const Value& b);

// `-value` or `+value`.
Result Sign(char sign, const Value& value);

// repr() of a float.
std::string FloatText(double value);

// str() of an int; ValueError past the 4300 digits that Python writes.
absl::StatusOr<std::string> IntText(const Value& value);

// int(text, base) and float(text); none where Python raises a ValueError.
std::optional<Value> ParseInt(std::string_view text, int base);
std::optional<double> ParseFloat(std::string_view text);

// float() of a number; OverflowError for an int too large.
absl::StatusOr<double> ToDouble(const Value& value);

// int() of a finite float.
Value Truncate(double value);

// round(value, digits), half to even.
Result Round(const Value& value, int64_t digits);

// An index as Python takes it: a bool or an int that fits; `what` begins the
// error: "slice indices must be integers".
absl::StatusOr<int64_t> ToIndex(const Value& value, std::string_view what);

}  // namespace cohort::jinja
