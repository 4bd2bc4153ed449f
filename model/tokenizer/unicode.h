// Characters and what they are, as the parts of the tokenizers library (0.23.3)
// see them: each of its parts has tables of another Unicode version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cohort {

// The character at `*place` of well-formed UTF-8, and moves `*place` behind it.
inline char32_t NextCharacter(std::string_view text, size_t* place) {
  const auto byte = [&](size_t i) {
    return static_cast<char32_t>(static_cast<uint8_t>(text[*place + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    ++*place;
    return lead;
  }
  if (lead < 0xE0) {
    const char32_t c = (lead & 0x1F) << 6 | (byte(1) & 0x3F);
    *place += 2;
    return c;
  }
  if (lead < 0xF0) {
    const char32_t c =
        (lead & 0xF) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    *place += 3;
    return c;
  }
  const char32_t c = (lead & 7) << 18 | (byte(1) & 0x3F) << 12 |
                     (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
  *place += 4;
  return c;
}

// The character that ends before `place` > 0 in well-formed UTF-8.
char32_t CharacterBefore(std::string_view text, size_t place);

void AppendUtf8(char32_t c, std::string* text);

// Assigned after Unicode 14, which PCRE2 10.42 knows.
bool IsUnicodeAddition(char32_t c);

struct TextCheck {
  size_t valid_bytes = 0;      // Well-formed from the start on.
  bool has_additions = false;  // In the well-formed part.
};
TextCheck CheckText(std::string_view text);

// What a text of `bytes` may grow to while it is rewritten: far beyond what the
// parts of a sensible file make of it.
inline size_t MostRewrittenBytes(size_t bytes) {
  return (size_t{1} << 20) + 32 * bytes;
}

// White_Space.
bool IsWhitespace(char32_t c);

// \w of Rust's regex crate: Alphabetic, M, Nd, Pc, Join_Control.
bool IsWordCharacter(char32_t c);

// N of Unicode 17.
bool IsNumeric(char32_t c);

// ASCII's punctuation, and P of Unicode 8.
bool IsPunctuation(char32_t c);

// The full lower case of every character alone (Unicode 17).
std::string Lowercase(std::string_view text);

}  // namespace cohort
