#include "model/jinja/format.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "model/jinja/attributes.h"
#include "model/jinja/cat.h"
#include "model/jinja/number.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// The arguments of one `%`, taken from left to right.
class PercentArguments {
 public:
  explicit PercentArguments(const Value& arguments) : arguments_(arguments) {}

  Result Next() {
    if (arguments_.Is(Kind::kTuple)) {
      if (taken_ < arguments_.items().size()) {
        return arguments_.items()[taken_++];
      }
    } else if (taken_ == 0) {
      ++taken_;
      return arguments_;
    }
    return TypeError("not enough arguments for format string");
  }

  Result Named(const std::string& name) {
    if (!arguments_.Is(Kind::kDict)) {
      return TypeError("format requires a mapping");
    }
    named_ = true;
    const Value* const found = arguments_.dict().Find(name);
    if (found == nullptr) return Error("KeyError", Quote(name));
    return *found;
  }

  absl::Status CheckAllTaken() const {
    // What has items may be left alone, for Python takes it for a mapping.
    const bool may_stay =
        named_ || arguments_.Is(Kind::kDict) || arguments_.Is(Kind::kList) ||
        arguments_.Is(Kind::kRange) || arguments_.Is(Kind::kBytes) ||
        arguments_.Is(Kind::kUndefined);
    const size_t given =
        arguments_.Is(Kind::kTuple) ? arguments_.items().size() : 1;
    if (arguments_.Is(Kind::kTuple) ? taken_ < given
                                    : taken_ == 0 && !may_stay) {
      return TypeError("not all arguments converted during string formatting");
    }
    return absl::OkStatus();
  }

 private:
  const Value& arguments_;
  size_t taken_ = 0;
  bool named_ = false;
};

struct Conversion {
  bool left = false, plus = false, space = false, alternate = false,
       zero = false;
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

absl::StatusOr<int64_t> TakeCount(std::string_view text, size_t* at,
                                  PercentArguments* arguments) {
  if (*at < text.size() && text[*at] == '*') {
    ++*at;
    COHORT_ASSIGN_OR_RETURN(const Value value, arguments->Next());
    if (!value.IsInteger() || value.IsBig()) return TypeError("* wants int");
    if (std::abs(value.small()) > kMaxWidth) return ValueError("width too big");
    return value.small();
  }
  int64_t count = 0;
  for (; *at < text.size() && absl::ascii_isdigit(text[*at]); ++*at) {
    count = count * 10 + (text[*at] - '0');
    if (count > kMaxWidth) return ValueError("width too big");
  }
  return count;
}

absl::StatusOr<Conversion> TakeConversion(std::string_view text, size_t* at,
                                          PercentArguments* arguments) {
  Conversion result;
  for (; *at < text.size(); ++*at) {
    const char c = text[*at];
    if (c == '-')
      result.left = true;
    else if (c == '+')
      result.plus = true;
    else if (c == ' ')
      result.space = true;
    else if (c == '#')
      result.alternate = true;
    else if (c == '0')
      result.zero = true;
    else
      break;
  }
  COHORT_ASSIGN_OR_RETURN(result.width, TakeCount(text, at, arguments));
  if (result.width < 0) {
    result.left = true;
    result.width = -result.width;
  }
  if (*at < text.size() && text[*at] == '.') {
    ++*at;
    COHORT_ASSIGN_OR_RETURN(result.precision, TakeCount(text, at, arguments));
    result.precision = std::max<int64_t>(result.precision, 0);
  }
  while (*at < text.size() &&
         (text[*at] == 'l' || text[*at] == 'h' || text[*at] == 'L')) {
    ++*at;
  }
  if (*at == text.size()) return ValueError("incomplete format");
  result.type = text[(*at)++];
  return result;
}

std::string PlaceNumber(const Conversion& how, bool negative,
                        const std::string& prefix, std::string digits) {
  const std::string sign = negative    ? "-"
                           : how.plus  ? "+"
                           : how.space ? " "
                                       : "";
  if (how.zero && !how.left) {
    const auto room = how.width - static_cast<int64_t>(sign.size()) -
                      static_cast<int64_t>(prefix.size());
    digits = Pad(digits, room, '0', '>');
  }
  return Pad(sign + prefix + digits, how.width, ' ', how.left ? '<' : '>');
}

absl::StatusOr<std::string> ConvertInt(const Conversion& how,
                                       const Value& value) {
  const bool decimal = how.type == 'd' || how.type == 'i' || how.type == 'u';
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  if (!value.IsInteger() && !(decimal && value.Is(Kind::kFloat))) {
    return TypeError(Cat("%", std::string(1, how.type),
                         " format: ", decimal ? "a real number" : "an integer",
                         " is required, not ", TypeName(value)));
  }
  if (value.Is(Kind::kFloat) && !std::isfinite(value.real())) {
    return Error(std::isnan(value.real()) ? "ValueError" : "OverflowError",
                 "cannot convert float to integer");
  }
  const mpz_class whole = value.Is(Kind::kFloat)
                              ? Truncate(value.real()).integer()
                              : value.integer();
  const int base = decimal ? 10 : how.type == 'o' ? 8 : 16;
  COHORT_ASSIGN_OR_RETURN(std::string digits, FormatInt(abs(whole), base));
  digits = Pad(digits, how.precision, '0', '>');
  if (how.type == 'X') digits = absl::AsciiStrToUpper(digits);
  const char* const prefix = !how.alternate || base == 10 ? ""
                             : base == 8                  ? "0o"
                             : how.type == 'X'            ? "0X"
                                                          : "0x";
  return PlaceNumber(how, whole < 0, prefix, std::move(digits));
}

absl::StatusOr<std::string> ConvertReal(const Conversion& how,
                                        const Value& value) {
  if (value.Is(Kind::kUndefined)) return UseOfUndefined(value);
  if (!value.IsNumber()) {
    return TypeError(Cat("must be real number, not ", TypeName(value)));
  }
  COHORT_ASSIGN_OR_RETURN(const double real, ToDouble(value));
  return PlaceNumber(
      how, std::signbit(real) && !std::isnan(real), "",
      FormatReal(std::abs(real), how.type,
                 how.precision < 0 ? 6 : static_cast<int>(how.precision),
                 how.alternate));
}

absl::StatusOr<std::string> ConvertText(const Conversion& how,
                                        const Value& value) {
  std::string text;
  if (how.type == 'c') {
    const bool is_character =
        value.Is(Kind::kString) && CountCharacters(value.text()) == 1;
    if (!is_character && !value.IsInteger()) {
      return TypeError("%c requires int or char");
    }
    if (is_character) {
      text = value.text();
    } else if (value.IsBig() || value.small() < 0 || value.small() > 0x10FFFF) {
      return Error("OverflowError", "%c arg not in range(0x110000)");
    } else {
      Append(static_cast<char32_t>(value.small()), &text);
    }
  } else {
    COHORT_ASSIGN_OR_RETURN(text, how.type == 's' ? Str(value) : Repr(value));
  }
  if (how.precision >= 0 && how.type != 'c') {
    text.resize(ByteOf(text, how.precision));
  }
  return Pad(text, how.width, ' ', how.left ? '<' : '>');
}

absl::StatusOr<std::string> Convert(const Conversion& how, const Value& value) {
  switch (how.type) {
    case 'd':
    case 'i':
    case 'u':
    case 'o':
    case 'x':
    case 'X':
      return ConvertInt(how, value);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      return ConvertReal(how, value);
    case 's':
    case 'r':
    case 'a':
    case 'c':
      return ConvertText(how, value);
    default:
      return ValueError(
          Cat("unsupported format character '", std::string(1, how.type), "'"));
  }
}

// "0.name[key]" of a replacement field.
class BraceFields {
 public:
  BraceFields(const Arguments& arguments) : arguments_(arguments) {}

  Result Get(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    COHORT_ASSIGN_OR_RETURN(Value value, First(name.substr(0, end)));
    std::string_view rest = name.substr(end);
    while (!rest.empty()) {
      if (rest[0] == '.') {
        const size_t stop = std::min(rest.find_first_of(".[", 1), rest.size());
        if (stop == 1) return ValueError("Empty attribute in format string");
        COHORT_ASSIGN_OR_RETURN(value,
                                GetAttribute(value, rest.substr(1, stop - 1)));
        rest = rest.substr(stop);
        continue;
      }
      const size_t close = rest.find(']');
      if (rest[0] != '[' || close == rest.npos) {
        return ValueError("Missing ']' in format string");
      }
      if (close == 1) return ValueError("Empty attribute in format string");
      const std::string key(rest.substr(1, close - 1));
      const bool is_number =
          std::all_of(key.begin(), key.end(), absl::ascii_isdigit);
      const std::optional<Value> number =
          is_number ? ParseInt(key, 10) : std::nullopt;
      COHORT_ASSIGN_OR_RETURN(
          value, GetItem(value, number ? *number : Value::String(key)));
      rest = rest.substr(close + 1);
    }
    return value;
  }

 private:
  Result First(std::string_view name) {
    const bool is_number =
        std::all_of(name.begin(), name.end(), absl::ascii_isdigit);
    if (!is_number) {
      for (const auto& [theirs, value] : arguments_.named) {
        if (theirs == name) return value;
      }
      return Error("KeyError", Quote(name));
    }
    if (numbering_ != 0 && numbering_ != (name.empty() ? 1 : 2)) {
      return ValueError(
          "cannot switch between manual field specification and automatic "
          "field numbering");
    }
    numbering_ = name.empty() ? 1 : 2;
    const std::optional<Value> number =
        name.empty() ? Value::Int(next_++) : ParseInt(name, 10);
    const auto size = static_cast<int64_t>(arguments_.positional.size());
    if (!number || number->IsBig() || number->small() >= size) {
      return Error("IndexError",
                   "Replacement index out of range for positional args tuple");
    }
    return arguments_.positional[static_cast<size_t>(number->small())];
  }

  const Arguments& arguments_;
  int64_t next_ = 0;
  int numbering_ = 0;  // 1: automatic, 2: by hand.
};

// The end of the field that begins at `at`, past its braces; npos if none.
size_t FieldEnd(std::string_view text, size_t at) {
  int open = 1;
  for (; at < text.size(); ++at) {
    if (text[at] == '{') ++open;
    if (text[at] == '}' && --open == 0) return at;
  }
  return std::string_view::npos;
}

absl::StatusOr<std::string> Expand(std::string_view text, BraceFields* fields,
                                   int depth);

absl::StatusOr<std::string> ExpandField(std::string_view field,
                                        BraceFields* fields, int depth) {
  // A key in brackets may hold what elsewhere ends the name.
  size_t end = 0;
  for (bool in_key = false; end < field.size(); ++end) {
    if (field[end] == '[') in_key = true;
    if (field[end] == ']') in_key = false;
    if (!in_key && (field[end] == ':' || field[end] == '!')) break;
  }
  COHORT_ASSIGN_OR_RETURN(Value value, fields->Get(field.substr(0, end)));
  std::string_view rest = field.substr(end);
  if (!rest.empty() && rest[0] == '!') {
    if (rest.size() < 2) {
      return ValueError("end of string while looking for conversion specifier");
    }
    if (rest.size() > 2 && rest[2] != ':') {
      return ValueError("expected ':' after conversion specifier");
    }
    const char how = rest[1];
    if (how != 'r' && how != 's' && how != 'a') {
      return ValueError(
          Cat("Unknown conversion specifier ", std::string(1, how)));
    }
    COHORT_ASSIGN_OR_RETURN(std::string converted,
                            how == 's' ? Str(value) : Repr(value));
    value = Value::String(std::move(converted));
    rest = rest.substr(2);
  }
  if (!rest.empty()) rest.remove_prefix(1);
  COHORT_ASSIGN_OR_RETURN(const std::string spec,
                          Expand(rest, fields, depth + 1));
  return FormatSpec(value, spec);
}

absl::StatusOr<std::string> Expand(std::string_view text, BraceFields* fields,
                                   int depth) {
  if (depth > 2) return ValueError("Max string recursion exceeded");
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      result += c;
      ++at;
    } else if (at + 1 < text.size() && text[at + 1] == c) {
      result += c;
      at += 2;
    } else {
      if (c == '}') {
        return ValueError("Single '}' encountered in format string");
      }
      const size_t end = FieldEnd(text, at + 1);
      if (end == text.npos) {
        return ValueError(at + 1 == text.size()
                              ? "Single '{' encountered in format string"
                              : "expected '}' before end of string");
      }
      COHORT_ASSIGN_OR_RETURN(
          const std::string field,
          ExpandField(text.substr(at + 1, end - at - 1), fields, depth));
      result += field;
      at = end + 1;
    }
    COHORT_RETURN_IF_ERROR(
        CheckSize(0, static_cast<int64_t>(result.size() / 2)));
  }
  return result;
}

}  // namespace

Result FormatPercent(const Value& format, const Value& arguments) {
  const std::string& text = format.text();
  PercentArguments taken(arguments);
  std::string result;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '%') {
      result += text[at++];
      continue;
    }
    if (++at == text.size()) return ValueError("incomplete format");
    std::optional<Value> named;
    if (text[at] == '(') {
      const size_t close = text.find(')', at);
      if (close == text.npos) return ValueError("incomplete format key");
      COHORT_ASSIGN_OR_RETURN(named,
                              taken.Named(text.substr(at + 1, close - at - 1)));
      at = close + 1;
    }
    COHORT_ASSIGN_OR_RETURN(const Conversion how,
                            TakeConversion(text, &at, &taken));
    if (how.type == '%') {
      result += '%';
      continue;
    }
    if (!named) {
      COHORT_ASSIGN_OR_RETURN(named, taken.Next());
    }
    COHORT_ASSIGN_OR_RETURN(std::string piece, Convert(how, *named));
    const bool escape =
        format.markup() && !(named->Is(Kind::kString) && named->markup());
    result += escape ? EscapeHtml(piece) : piece;
    if (result.size() > kMaxStringBytes) break;
  }
  COHORT_RETURN_IF_ERROR(taken.CheckAllTaken());
  return MakeString(std::move(result), format.markup());
}

Result FormatBraces(const Value& format, const Arguments& arguments) {
  BraceFields fields(arguments);
  COHORT_ASSIGN_OR_RETURN(std::string text, Expand(format.text(), &fields, 0));
  return MakeString(std::move(text), format.markup());
}

}  // namespace cohort::jinja
