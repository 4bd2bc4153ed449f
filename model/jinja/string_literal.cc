#include "model/jinja/string_literal.h"

#include <unicode/uchar.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "model/jinja/cat.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// The character that an escape of one letter stands for; 0 if there is none.
char SimpleEscape(char c) {
  switch (c) {
    case '\\':
    case '\'':
    case '"':
      return c;
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return '\0';
  }
}

// Takes `digits` hexadecimal digits behind "\x", "\u" or "\U".
absl::StatusOr<char32_t> TakeHex(std::string_view* text, size_t digits,
                                 char kind) {
  uint64_t code = 0;
  const std::string_view hex = text->substr(0, digits);
  bool right = hex.size() == digits;
  for (const char c : hex) right = right && absl::ascii_isxdigit(c);
  if (!right || !absl::SimpleHexAtoi(std::string(hex), &code)) {
    return absl::InvalidArgumentError(Cat("truncated \\", std::string(1, kind),
                                          std::string(digits, 'X'), " escape"));
  }
  if (code > 0x10FFFF) {
    return absl::InvalidArgumentError("illegal Unicode character");
  }
  text->remove_prefix(digits);
  return static_cast<char32_t>(code);
}

// Takes "{NAME}" behind "\N".
absl::StatusOr<char32_t> TakeName(std::string_view* text) {
  const size_t close = text->find('}');
  if (text->empty() || (*text)[0] != '{' || close == std::string_view::npos) {
    return absl::InvalidArgumentError("malformed \\N character escape");
  }
  const std::string name(text->substr(1, close - 1));
  UErrorCode error = U_ZERO_ERROR;
  const UChar32 c = u_charFromName(U_UNICODE_CHAR_NAME, name.c_str(), &error);
  if (U_FAILURE(error)) {
    return absl::InvalidArgumentError("unknown Unicode character name");
  }
  text->remove_prefix(close + 1);
  return static_cast<char32_t>(c);
}

char32_t TakeOctal(std::string_view* text) {
  char32_t code = 0;
  for (int i = 0;
       i < 3 && !text->empty() && (*text)[0] >= '0' && (*text)[0] <= '7'; ++i) {
    code = code * 8 + static_cast<char32_t>((*text)[0] - '0');
    text->remove_prefix(1);
  }
  return code;
}

// What follows a backslash; appends what both stand for.
absl::Status TakeEscape(std::string_view* text, std::string* out) {
  const char c = (*text)[0];
  if (c >= '0' && c <= '7') {
    Append(TakeOctal(text), out);
    return absl::OkStatus();
  }
  if (static_cast<uint8_t>(c) >= 0x80) {
    // The codec sees such a character as an escape of its own, the backslash
    // of which the one before takes for itself.
    const size_t length = ByteOf(*text, 1);
    const auto code = static_cast<uint32_t>(Decode(text->substr(0, length))[0]);
    CatTo(out, "\\",
          code < 0x100     ? absl::StrFormat("x%02x", code)
          : code < 0x10000 ? absl::StrFormat("u%04x", code)
                           : absl::StrFormat("U%08x", code));
    text->remove_prefix(length);
    return absl::OkStatus();
  }
  text->remove_prefix(1);
  if (c == '\n') return absl::OkStatus();
  if (const char simple = SimpleEscape(c); simple != '\0') {
    *out += simple;
    return absl::OkStatus();
  }
  const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0 && c != 'N') {
    *out += '\\';
    *out += c;
    return absl::OkStatus();
  }
  COHORT_ASSIGN_OR_RETURN(const char32_t code, digits > 0
                                                   ? TakeHex(text, digits, c)
                                                   : TakeName(text));
  Append(code, out);
  return absl::OkStatus();
}

}  // namespace

size_t StringLength(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == text[0]) {
      return i + 1;
    }
  }
  return 0;
}

absl::StatusOr<std::string> Unescape(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    if (text[0] != '\\') {
      result += text[0];
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(1);
    if (text.empty()) return absl::InvalidArgumentError("\\ at end of string");
    COHORT_RETURN_IF_ERROR(TakeEscape(&text, &result));
  }
  return result;
}

}  // namespace cohort::jinja
