// Python's str over UTF-8: characters are code points, their classes and cases
// Unicode's.
//
// A template can write a lone surrogate ("\ud800"); it is kept in UTF-8's
// pattern of three bytes until the render refuses to give it out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cohort::jinja {

std::u32string Decode(std::string_view text);
std::string Encode(std::u32string_view characters);
void Append(char32_t character, std::string* text);

bool IsAscii(std::string_view text);
int64_t CountCharacters(std::string_view text);
// Bytes before character `i`; the text's size past its end.
size_t ByteOf(std::string_view text, int64_t i);

// str.isspace() and the like, of one character.
bool IsSpace(char32_t c);
bool IsAlpha(char32_t c);
bool IsDecimal(char32_t c);
// 0 to 9 of a decimal digit.
int DecimalValue(char32_t c);
bool IsDigit(char32_t c);
bool IsNumeric(char32_t c);
bool IsAlnum(char32_t c);
bool IsLower(char32_t c);
bool IsUpper(char32_t c);
bool IsTitle(char32_t c);
bool IsPrintable(char32_t c);
bool IsIdentifierStart(char32_t c);
bool IsIdentifierPart(char32_t c);
bool IsIdentifier(std::string_view text);
// A regular expression's \w.
bool IsWord(char32_t c);

std::string Lower(std::string_view text);
std::string Upper(std::string_view text);
std::string FoldCase(std::string_view text);
std::string Capitalize(std::string_view text);
std::string SwapCase(std::string_view text);
// str.title(): every first letter of a run of letters.
std::string TitleWords(std::string_view text);

enum class Side { kBoth, kLeft, kRight };
// str.strip() of spaces, or of any of the characters in `characters`.
std::string_view StripSpace(std::string_view text, Side side);
std::string_view StripCharacters(std::string_view text,
                                 std::string_view characters, Side side);

// str.splitlines().
std::vector<std::string> SplitLines(std::string_view text, bool keep_ends);

// str.replace(); `count` < 0 for all.
std::string Replace(std::string_view text, std::string_view old,
                    std::string_view fresh, int64_t count);

// &, <, >, ', " as HTML writes them.
std::string EscapeHtml(std::string_view text);

// repr() of a str or of bytes.
std::string Quote(std::string_view text);
std::string QuoteBytes(std::string_view bytes);

}  // namespace cohort::jinja
