// Numbers read from text as Python's int() and float() read them.
#include <cstdlib>
#include <limits>

#include "absl/strings/ascii.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"

namespace cohort::jinja {
namespace {

constexpr size_t kMaxDigits = 4300;

// Any decimal digit of Unicode counts; what is no digit stays.
std::string ToAsciiDigits(std::string_view text) {
  std::string result;
  for (const char32_t c : Decode(text)) {
    if (c >= 0x80 && IsDecimal(c)) {
      result += static_cast<char>('0' + DecimalValue(c));
    } else {
      Append(c, &result);
    }
  }
  return result;
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (absl::ascii_isalpha(c)) return absl::ascii_tolower(c) - 'a' + 10;
  return 99;
}

// Takes off "0x" and the like; the base it names, 10 without one.
int TakePrefix(std::string* digits) {
  if (digits->size() < 2 || (*digits)[0] != '0') return 10;
  const char mark = absl::ascii_tolower((*digits)[1]);
  const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
  return base;
}

// Digits with single underscores between them; without them in *plain.
bool TakeDigits(std::string_view text, int base, std::string* plain) {
  bool after_digit = false;
  for (const char c : text) {
    if (c == '_') {
      if (!after_digit) return false;
      after_digit = false;
    } else {
      if (DigitOf(c) >= base) return false;
      *plain += c;
      after_digit = true;
    }
  }
  return after_digit;
}

}  // namespace

std::optional<Value> ParseInt(std::string_view text, int base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  std::string digits = ToAsciiDigits(StripSpace(text, Side::kBoth));
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.erase(0, 1);
  }
  const int named = TakePrefix(&digits);
  if (named != 10 && (base == 0 || base == named)) {
    digits.erase(0, 2);
    if (!digits.empty() && digits[0] == '_') digits.erase(0, 1);
    base = named;
  } else if (base == 0) {
    // "012" is neither octal nor decimal.
    if (digits.size() > 1 && digits[0] == '0' &&
        digits.find_first_not_of("0_") != std::string::npos) {
      return std::nullopt;
    }
    base = 10;
  }
  std::string plain;
  if (!TakeDigits(digits, base, &plain)) return std::nullopt;
  const bool is_power = (base & (base - 1)) == 0;
  if (!is_power && plain.size() > kMaxDigits) return std::nullopt;
  if (plain.size() > (size_t{1} << 18)) return std::nullopt;
  const mpz_class value(plain, base);
  return Value::Int(negative ? mpz_class(-value) : value);
}

std::optional<double> ParseFloat(std::string_view text) {
  const std::string plain = ToAsciiDigits(StripSpace(text, Side::kBoth));
  std::string number;
  for (size_t i = 0; i < plain.size(); ++i) {
    if (plain[i] != '_') {
      number += plain[i];
    } else if (i == 0 || i + 1 == plain.size() ||
               !absl::ascii_isdigit(plain[i - 1]) ||
               !absl::ascii_isdigit(plain[i + 1])) {
      return std::nullopt;
    }
  }
  std::string_view body = number;
  if (!body.empty() && (body[0] == '-' || body[0] == '+')) {
    body.remove_prefix(1);
  }
  const std::string word = absl::AsciiStrToLower(std::string(body));
  const bool is_word = word == "inf" || word == "infinity" || word == "nan";
  // strtod takes more than Python: hexadecimals, "nan(...)", leading spaces.
  if (!is_word && (body.empty() || body.find_first_not_of("0123456789.eE+-") !=
                                       std::string_view::npos)) {
    return std::nullopt;
  }
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  if (end == number.c_str() || *end != '\0') return std::nullopt;
  return value;
}

}  // namespace cohort::jinja
