// Python's format specification:
// [[fill]align][sign][#][0][width][,|_][.n][type].
#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "model/jinja/cat.h"
#include "model/jinja/format.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

struct Spec {
  char32_t fill = ' ';
  char align = 0;  // 0: the type's own.
  char sign = '-';
  bool alternate = false;
  int64_t width = 0;
  char grouping = 0;
  int precision = -1;
  char type = 0;
};

bool IsAlign(char32_t c) {
  return c == '<' || c == '>' || c == '=' || c == '^';
}

absl::Status Invalid(const Value& value) {
  return ValueError(Cat("Invalid format specifier for object of type '",
                        TypeName(value), "'"));
}

absl::StatusOr<int64_t> TakeNumber(const std::u32string& text, size_t* at) {
  int64_t number = 0;
  for (; *at < text.size() && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
    number = number * 10 + static_cast<int64_t>(text[*at] - '0');
    if (number > kMaxWidth) {
      return ValueError("Too many decimal digits in format string");
    }
  }
  return number;
}

absl::StatusOr<Spec> ParseSpec(std::string_view text, const Value& value) {
  const std::u32string spec = Decode(text);
  Spec result;
  size_t at = 0;
  const auto peek = [&] { return at < spec.size() ? spec[at] : U'\0'; };
  if (spec.size() >= 2 && IsAlign(spec[1])) {
    result.fill = spec[0];
    result.align = static_cast<char>(spec[1]);
    at = 2;
  } else if (IsAlign(peek())) {
    result.align = static_cast<char>(spec[at++]);
  }
  if (peek() == '+' || peek() == '-' || peek() == ' ') {
    result.sign = static_cast<char>(spec[at++]);
  }
  if (peek() == '#') {
    result.alternate = true;
    ++at;
  }
  if (peek() == '0') {
    if (result.align == 0) {
      result.fill = '0';
      result.align = value.IsNumber() ? '=' : '<';
    }
    ++at;
  }
  COHORT_ASSIGN_OR_RETURN(result.width, TakeNumber(spec, &at));
  if (peek() == ',' || peek() == '_') {
    result.grouping = static_cast<char>(spec[at++]);
  }
  if (peek() == '.') {
    const size_t digits = ++at;
    COHORT_ASSIGN_OR_RETURN(const int64_t precision, TakeNumber(spec, &at));
    if (at == digits) return ValueError("Format specifier missing precision");
    result.precision = static_cast<int>(precision);
  }
  if (at < spec.size() && spec[at] < 0x80) {
    result.type = static_cast<char>(spec[at++]);
  }
  if (at != spec.size()) return Invalid(value);
  return result;
}

// "1234567.5" with marks between groups of digits.
std::string Group(const std::string& digits, char mark, size_t every) {
  const size_t whole = std::min(
      digits.size(), digits.find_first_not_of("0123456789abcdefABCDEF"));
  std::string result;
  for (size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % every == 0) result += mark;
    result += digits[i];
  }
  return result + digits.substr(whole);
}

std::string PlaceNumber(const Spec& spec, const std::string& sign,
                        std::string digits) {
  const bool inside = spec.align == '=';
  const auto width = static_cast<size_t>(spec.width);
  const size_t every = spec.type == 'x' || spec.type == 'X' ||
                               spec.type == 'b' || spec.type == 'o'
                           ? 4
                           : 3;
  if (inside && spec.fill == '0' && spec.grouping != 0) {
    // Zeros are grouped too, and a mark never comes first.
    std::string padded = digits;
    while (sign.size() + Group(padded, spec.grouping, every).size() < width) {
      padded.insert(0, "0");
    }
    return sign + Group(padded, spec.grouping, every);
  }
  if (spec.grouping != 0) digits = Group(digits, spec.grouping, every);
  if (inside) {
    const auto room =
        static_cast<int64_t>(width) - static_cast<int64_t>(sign.size());
    return sign + Pad(digits, room, spec.fill, '>');
  }
  return Pad(sign + digits, spec.width, spec.fill,
             spec.align == 0 ? '>' : spec.align);
}

std::string SignOf(const Spec& spec, bool negative) {
  if (negative) return "-";
  return spec.sign == '-' ? "" : std::string(1, spec.sign);
}

absl::StatusOr<std::string> FormatAsFloat(const Spec& spec, double real) {
  const std::string sign = SignOf(spec, std::signbit(real));
  const double magnitude = std::abs(real);
  std::string digits;
  if (spec.type == '%') {
    digits =
        FormatReal(magnitude * 100, 'f',
                   spec.precision < 0 ? 6 : spec.precision, spec.alternate) +
        "%";
  } else if (spec.type == 0) {
    if (spec.precision < 0) {
      digits = FloatText(magnitude);
    } else {
      // Like g, but as repr() writes it: with a point, at least one digit.
      digits = FormatReal(magnitude, 'g', spec.precision, false);
      const bool plain = digits.find_first_of(".en") == std::string::npos;
      if (plain &&
          static_cast<int>(digits.size()) < std::max(1, spec.precision)) {
        digits += ".0";
      } else if (plain && std::isfinite(magnitude)) {
        digits =
            FormatReal(magnitude, 'e', std::max(0, spec.precision - 1), false);
      }
    }
  } else {
    digits =
        FormatReal(magnitude, spec.type == 'n' ? 'g' : spec.type,
                   spec.precision < 0 ? 6 : spec.precision, spec.alternate);
  }
  return PlaceNumber(spec, sign, std::move(digits));
}

absl::StatusOr<std::string> FormatAsInt(const Spec& spec, const Value& value) {
  const mpz_class whole = value.integer();
  const int base = spec.type == 'b'                       ? 2
                   : spec.type == 'o'                     ? 8
                   : spec.type == 'x' || spec.type == 'X' ? 16
                                                          : 10;
  COHORT_ASSIGN_OR_RETURN(std::string digits, FormatInt(abs(whole), base));
  std::string sign = SignOf(spec, whole < 0);
  if (spec.alternate && base != 10) sign += std::string("0") + spec.type;
  if (spec.type == 'X') digits = absl::AsciiStrToUpper(digits);
  return PlaceNumber(spec, sign, std::move(digits));
}

absl::StatusOr<std::string> FormatAsText(const Spec& spec, const Value& value) {
  if (spec.sign != '-' || spec.align == '=' ||
      (spec.type != 0 && spec.type != 's')) {
    return Invalid(value);
  }
  std::string_view text = value.text();
  if (spec.precision >= 0) text = text.substr(0, ByteOf(text, spec.precision));
  return Pad(text, spec.width, spec.fill, spec.align == 0 ? '<' : spec.align);
}

}  // namespace

std::string Pad(std::string_view text, int64_t width, char32_t fill,
                char align) {
  const int64_t room = width - CountCharacters(text);
  if (room <= 0) return std::string(text);
  const int64_t left = align == '<' ? 0 : align == '>' ? room : room / 2;
  std::string mark;
  Append(fill, &mark);
  std::string result;
  for (int64_t i = 0; i < left; ++i) result += mark;
  result += text;
  for (int64_t i = left; i < room; ++i) result += mark;
  return result;
}

std::string FormatReal(double magnitude, char type, int precision,
                       bool alternate) {
  const bool upper = absl::ascii_isupper(type);
  if (!std::isfinite(magnitude)) {
    const std::string name = std::isnan(magnitude) ? "nan" : "inf";
    return upper ? absl::AsciiStrToUpper(name) : name;
  }
  char format[8] = {'%'};
  size_t at = 1;
  if (alternate) format[at++] = '#';
  format[at++] = '.';
  format[at++] = '*';
  format[at++] = type;
  char small[64];
  const int length =
      std::snprintf(small, sizeof(small), format, precision, magnitude);
  if (length < static_cast<int>(sizeof(small))) return small;
  std::string large(static_cast<size_t>(length) + 1, '\0');
  std::snprintf(large.data(), large.size(), format, precision, magnitude);
  large.pop_back();
  return large;
}

absl::StatusOr<std::string> FormatInt(const mpz_class& magnitude, int base) {
  if (base == 10) return IntText(Value::Int(magnitude));
  return magnitude.get_str(base);
}

absl::StatusOr<std::string> FormatSpec(const Value& value,
                                       std::string_view text) {
  if (text.empty()) return Str(value);
  if (!value.IsNumber() && !value.Is(Kind::kString)) {
    return TypeError(Cat("unsupported format string passed to ",
                         TypeName(value), ".__format__"));
  }
  COHORT_ASSIGN_OR_RETURN(const Spec spec, ParseSpec(text, value));
  if (value.Is(Kind::kString)) return FormatAsText(spec, value);
  const std::string_view type(&spec.type, spec.type == 0 ? 0 : 1);
  const bool as_float =
      !type.empty() && std::string_view("eEfFgG%").find(type) != type.npos;
  if (value.Is(Kind::kFloat) || as_float) {
    if (spec.type != 0 && spec.type != 'n' && !as_float) return Invalid(value);
    COHORT_ASSIGN_OR_RETURN(const double real, ToDouble(value));
    return FormatAsFloat(spec, real);
  }
  if (spec.precision >= 0) {
    return ValueError("Precision not allowed in integer format specifier");
  }
  if (spec.type == 'c') {
    if (value.IsBig() || value.small() < 0 || value.small() > 0x10FFFF) {
      return Error("OverflowError", "%c arg not in range(0x110000)");
    }
    std::string character;
    Append(static_cast<char32_t>(value.small()), &character);
    return Pad(character, spec.width, spec.fill,
               spec.align == 0 ? '<' : spec.align);
  }
  if (!type.empty() && std::string_view("bdoxXn").find(type) == type.npos) {
    return ValueError(
        Cat("Unknown format code '", type, "' for object of type 'int'"));
  }
  return FormatAsInt(spec, value);
}

}  // namespace cohort::jinja
