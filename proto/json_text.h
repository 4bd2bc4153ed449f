// JSON as text, where a tree of values would cost more than the work itself.
#pragma once

#include <string>
#include <string_view>

namespace cohort {

// Well-formed UTF-8 (Unicode 15, table 3-7): no surrogates, nothing overlong.
bool IsUtf8(std::string_view bytes);

// Appends `text` as a JSON string. Every byte that begins no well-formed
// character becomes one U+FFFD; returns whether there was none.
bool AppendJsonText(std::string_view text, std::string* out);

}  // namespace cohort
