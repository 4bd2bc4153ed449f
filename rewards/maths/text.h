// The text of an answer, before it is read as mathematics.
#pragma once

#include <string>
#include <string_view>

namespace cohort {

// `text` in LaTeX's own ASCII where a character has a counterpart there: minus
// signs, radicals, fractions, superscripts, Greek letters, relations. Bytes
// that are not UTF-8, NUL, invisible and directional characters become U+FFFD,
// which no answer holds. No compatibility folding: that would turn 4 squared
// into 42. With `digits` full-width, circled and Roman digits are digits, too.
// Takes linear time.
std::string AsciiMath(std::string_view text, bool digits);

// Bytes of the valid UTF-8 character at the start of `text`; 0 if there is none
// (RFC 3629, section 4: no overlong forms, no surrogates). Requires a byte.
size_t CharacterBytes(std::string_view text);

// Words and formulas with one spelling: lower case, single spaces, no layout
// commands, no braces, no full stop at the end. For answers that are texts.
std::string PlainWords(std::string_view text);

}  // namespace cohort
