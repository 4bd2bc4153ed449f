// UTF-8, character by character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cohort {

// U+FFFD, which stands for what is no character.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the well-formed character that `text` begins with (Unicode 15,
// table 3-7); 0 when it begins with none.
size_t Utf8Length(std::string_view text);

// `text` with every maximal ill-formed part replaced by U+FFFD.
std::string ToValidUtf8(std::string_view text);

}  // namespace cohort
