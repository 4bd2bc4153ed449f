#include "model/jinja/text.h"

#include <unicode/ucasemap.h>
#include <unicode/uchar.h>

#include <algorithm>

#include "absl/strings/str_format.h"

namespace cohort::jinja {
namespace {

bool StartsCharacter(char c) {
  return (static_cast<uint8_t>(c) & 0xC0) != 0x80;
}

size_t LengthOfLead(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The character that begins at *at, which moves past it.
char32_t Next(std::string_view text, size_t* at) {
  const size_t length = std::min(LengthOfLead(text[*at]), text.size() - *at);
  const auto lead = static_cast<uint8_t>(text[*at]);
  char32_t c = length == 1 ? lead : lead & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    c = (c << 6) | (static_cast<uint8_t>(text[*at + i]) & 0x3F);
  }
  *at += length;
  return c;
}

UChar32 Icu(char32_t c) { return static_cast<UChar32>(c); }

enum class Case { kLower, kUpper, kTitle, kFold };

std::string MapCase(std::string_view text, Case to) {
  UErrorCode error = U_ZERO_ERROR;
  UCaseMap* const map =
      ucasemap_open("", U_TITLECASE_NO_BREAK_ADJUSTMENT, &error);
  if (U_FAILURE(error)) return std::string(text);
  // No mapping makes a character more than three times as long.
  std::string result(text.size() * 3 + 16, '\0');
  const auto from = text.data();
  const auto size = static_cast<int32_t>(text.size());
  const auto room = static_cast<int32_t>(result.size());
  int32_t length = 0;
  switch (to) {
    case Case::kLower:
      length =
          ucasemap_utf8ToLower(map, result.data(), room, from, size, &error);
      break;
    case Case::kUpper:
      length =
          ucasemap_utf8ToUpper(map, result.data(), room, from, size, &error);
      break;
    case Case::kTitle:
      length =
          ucasemap_utf8ToTitle(map, result.data(), room, from, size, &error);
      break;
    case Case::kFold:
      length =
          ucasemap_utf8FoldCase(map, result.data(), room, from, size, &error);
      break;
  }
  ucasemap_close(map);
  if (U_FAILURE(error)) return std::string(text);
  result.resize(static_cast<size_t>(length));
  return result;
}

// One character's title case, which may be several ("ß" becomes "Ss").
std::string TitleOf(char32_t c) {
  std::string text;
  Append(c, &text);
  return c < 0x80 ? std::string(1, static_cast<char>(u_toupper(Icu(c))))
                  : MapCase(text, Case::kTitle);
}

bool IsCased(char32_t c) { return IsLower(c) || IsUpper(c) || IsTitle(c); }

void AppendEscape(char32_t c, std::string* out) {
  if (c == '\n') {
    *out += "\\n";
  } else if (c == '\r') {
    *out += "\\r";
  } else if (c == '\t') {
    *out += "\\t";
  } else if (c < 0x100) {
    absl::StrAppendFormat(out, "\\x%02x", static_cast<uint32_t>(c));
  } else if (c < 0x10000) {
    absl::StrAppendFormat(out, "\\u%04x", static_cast<uint32_t>(c));
  } else {
    absl::StrAppendFormat(out, "\\U%08x", static_cast<uint32_t>(c));
  }
}

char QuoteMark(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  return has_single && !has_double ? '"' : '\'';
}

bool EndsLine(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 ||
         c == 0x2028 || c == 0x2029;
}

}  // namespace

std::u32string Decode(std::string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  for (size_t at = 0; at < text.size();) characters.push_back(Next(text, &at));
  return characters;
}

void Append(char32_t character, std::string* text) {
  const auto c = static_cast<uint32_t>(character);
  const auto tail = [&](int shift) {
    text->push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F)));
  };
  if (c < 0x80) {
    text->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    text->push_back(static_cast<char>(0xC0 | (c >> 6)));
    tail(0);
  } else if (c < 0x10000) {
    text->push_back(static_cast<char>(0xE0 | (c >> 12)));
    tail(6);
    tail(0);
  } else {
    text->push_back(static_cast<char>(0xF0 | (c >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string Encode(std::u32string_view characters) {
  std::string text;
  text.reserve(characters.size());
  for (const char32_t c : characters) Append(c, &text);
  return text;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

int64_t CountCharacters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), StartsCharacter);
}

size_t ByteOf(std::string_view text, int64_t i) {
  size_t at = 0;
  for (; i > 0 && at < text.size(); --i) at += LengthOfLead(text[at]);
  return std::min(at, text.size());
}

bool IsSpace(char32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}
bool IsAlpha(char32_t c) { return u_isalpha(Icu(c)); }
bool IsDecimal(char32_t c) {
  return u_getIntPropertyValue(Icu(c), UCHAR_NUMERIC_TYPE) == U_NT_DECIMAL;
}
int DecimalValue(char32_t c) { return u_charDigitValue(Icu(c)); }
bool IsDigit(char32_t c) {
  const int32_t type = u_getIntPropertyValue(Icu(c), UCHAR_NUMERIC_TYPE);
  return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}
bool IsNumeric(char32_t c) {
  return u_getIntPropertyValue(Icu(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}
bool IsAlnum(char32_t c) { return IsAlpha(c) || IsNumeric(c); }
bool IsLower(char32_t c) { return u_isULowercase(Icu(c)); }
bool IsUpper(char32_t c) { return u_isUUppercase(Icu(c)); }
bool IsTitle(char32_t c) { return u_istitle(Icu(c)); }
bool IsPrintable(char32_t c) {
  if (c == ' ') return true;
  const int8_t type = u_charType(Icu(c));
  const uint32_t bad = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CS_MASK |
                       U_GC_CO_MASK | U_GC_CN_MASK | U_GC_Z_MASK;
  return (U_MASK(type) & bad) == 0;
}
bool IsIdentifierStart(char32_t c) {
  return c == '_' || u_hasBinaryProperty(Icu(c), UCHAR_XID_START);
}
bool IsIdentifierPart(char32_t c) {
  return u_hasBinaryProperty(Icu(c), UCHAR_XID_CONTINUE);
}
bool IsIdentifier(std::string_view text) {
  const std::u32string characters = Decode(text);
  return !characters.empty() && IsIdentifierStart(characters[0]) &&
         std::all_of(characters.begin(), characters.end(), IsIdentifierPart);
}
bool IsWord(char32_t c) { return c == '_' || IsAlnum(c); }

std::string Lower(std::string_view text) { return MapCase(text, Case::kLower); }
std::string Upper(std::string_view text) { return MapCase(text, Case::kUpper); }
std::string FoldCase(std::string_view text) {
  return MapCase(text, Case::kFold);
}

std::string Capitalize(std::string_view text) {
  if (text.empty()) return "";
  size_t rest = 0;
  const char32_t first = Next(text, &rest);
  // Lower case is found in the whole, for the sigma that ends a word.
  const std::string lower = Lower(text);
  std::string first_lower = Lower(text.substr(0, rest));
  return TitleOf(first) +
         lower.substr(std::min(lower.size(), first_lower.size()));
}

std::string SwapCase(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = Next(text, &at);
    const std::string_view piece = text.substr(begin, at - begin);
    result += IsUpper(c)   ? Lower(piece)
              : IsLower(c) ? Upper(piece)
                           : std::string(piece);
  }
  return result;
}

std::string TitleWords(std::string_view text) {
  std::string result;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = Next(text, &at);
    result += in_word ? Lower(text.substr(begin, at - begin)) : TitleOf(c);
    in_word = IsCased(c);
  }
  return result;
}

std::string_view StripSpace(std::string_view text, Side side) {
  if (side != Side::kRight) {
    for (size_t at = 0; !text.empty() && IsSpace(Next(text, &at)); at = 0) {
      text.remove_prefix(at);
    }
  }
  while (side != Side::kLeft && !text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && !StartsCharacter(text[last])) --last;
    size_t at = last;
    if (!IsSpace(Next(text, &at))) break;
    text = text.substr(0, last);
  }
  return text;
}

std::string_view StripCharacters(std::string_view text,
                                 std::string_view characters, Side side) {
  std::u32string set = Decode(characters);
  std::sort(set.begin(), set.end());
  const auto in_set = [&](char32_t c) {
    return std::binary_search(set.begin(), set.end(), c);
  };
  if (side != Side::kRight) {
    for (size_t at = 0; !text.empty() && in_set(Next(text, &at)); at = 0) {
      text.remove_prefix(at);
    }
  }
  while (side != Side::kLeft && !text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && !StartsCharacter(text[last])) --last;
    size_t at = last;
    if (!in_set(Next(text, &at))) break;
    text = text.substr(0, last);
  }
  return text;
}

std::vector<std::string> SplitLines(std::string_view text, bool keep_ends) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const char32_t c = Next(text, &at);
    if (!EndsLine(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.emplace_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::string Replace(std::string_view text, std::string_view old,
                    std::string_view fresh, int64_t count) {
  std::string result;
  size_t at = 0;
  for (; count != 0; --count) {
    const size_t found = text.find(old, at);
    if (found == std::string_view::npos) break;
    result.append(text.substr(at, found - at)).append(fresh);
    at = found + old.size();
    if (!old.empty()) continue;
    // Nothing stands before every character and at the end.
    if (at >= text.size()) return result;
    const size_t length = LengthOfLead(text[at]);
    result.append(text.substr(at, length));
    at += length;
  }
  return result.append(text.substr(std::min(at, text.size())));
}

std::string EscapeHtml(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '\'':
        result += "&#39;";
        break;
      case '"':
        result += "&#34;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string Quote(std::string_view text) {
  const char mark = QuoteMark(text);
  std::string result(1, mark);
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = Next(text, &at);
    if (c == static_cast<char32_t>(mark) || c == '\\') {
      result += '\\';
      result += static_cast<char>(c);
    } else if (IsPrintable(c)) {
      result += text.substr(begin, at - begin);
    } else {
      AppendEscape(c, &result);
    }
  }
  return result + mark;
}

std::string QuoteBytes(std::string_view bytes) {
  const char mark = QuoteMark(bytes);
  std::string result = std::string("b") + mark;
  for (const char c : bytes) {
    if (c == mark || c == '\\') {
      result += '\\';
      result += c;
    } else if (c >= 0x20 && c < 0x7F) {
      result += c;
    } else {
      AppendEscape(static_cast<uint8_t>(c), &result);
    }
  }
  return result + mark;
}

}  // namespace cohort::jinja
