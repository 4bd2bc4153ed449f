// Strings as a template writes them: 'a\n\u00e9'.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cohort::jinja {

// Bytes of the string that `text` begins with, quotes included; 0 if its end is
// missing.
size_t StringLength(std::string_view text);

// What stands between the quotes, its escapes resolved as Python's codec
// "unicode-escape" does: one that is unknown keeps its backslash.
absl::StatusOr<std::string> Unescape(std::string_view text);

}  // namespace cohort::jinja
