// Python's two ways to format: "%d" % x and "{:d}".format(x).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

// `format % arguments`; a tuple gives several arguments, a dict named ones.
Result FormatPercent(const Value& format, const Value& arguments);

// format.format(...).
Result FormatBraces(const Value& format, const Arguments& arguments);

// format(value, spec): "{:>10.2f}".
absl::StatusOr<std::string> FormatSpec(const Value& value,
                                       std::string_view spec);

// A number's magnitude in one of printf's e, f, g (or upper case); `alternate`
// keeps the point and the zeros that g drops.
std::string FormatReal(double magnitude, char type, int precision,
                       bool alternate);

// An int's magnitude in base 2, 8, 10 or 16; ValueError if too long.
absl::StatusOr<std::string> FormatInt(const mpz_class& magnitude, int base);

// `text` in a field of `width` characters; `align` is '<', '>' or '^'.
std::string Pad(std::string_view text, int64_t width, char32_t fill,
                char align);

// Widths past this are an error, not memory.
inline constexpr int64_t kMaxWidth = int64_t{1} << 22;

}  // namespace cohort::jinja
