#include "model/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "model/jinja/cat.h"
#include "model/jinja/number.h"
#include "model/jinja/string_literal.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

constexpr std::array<std::string_view, 26> kOperators = {
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

// Line ends as "\n", and none at the very end.
std::string NormaliseLines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
      continue;
    }
    text += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool IsDigitIn(char c, int base) {
  if (base == 16) return absl::ascii_isxdigit(c);
  return c >= '0' && c < '0' + base;
}

// Bytes of digits with single underscores between them, at `text`'s beginning.
size_t DigitsLength(std::string_view text, int base) {
  size_t length = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsDigitIn(text[i], base)) {
      length = i + 1;
    } else if (text[i] != '_' || i == 0 || text[i - 1] == '_') {
      break;
    }
  }
  return length;
}

// Bytes of a float; 0 if there is none.
size_t FloatLength(std::string_view text) {
  const size_t whole = DigitsLength(text, 10);
  if (whole == 0) return 0;
  size_t end = whole;
  if (end < text.size() && text[end] == '.') {
    const size_t fraction = DigitsLength(text.substr(end + 1), 10);
    if (fraction > 0) end += 1 + fraction;
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    size_t at = end + 1;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t exponent = DigitsLength(text.substr(at), 10);
    if (exponent > 0) return at + exponent;
  }
  return end > whole ? end : 0;
}

size_t IntegerLength(std::string_view text) {
  if (text.empty() || !absl::ascii_isdigit(text[0])) return 0;
  if (text[0] != '0') return DigitsLength(text, 10);
  if (text.size() > 1) {
    const char mark = absl::ascii_tolower(text[1]);
    const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (base != 0) {
      size_t at = 2;
      if (at < text.size() && text[at] == '_') ++at;
      const size_t digits = DigitsLength(text.substr(at), base);
      if (digits > 0) return at + digits;
    }
  }
  // "0", "00", "0_0": a decimal does not begin with a zero.
  size_t length = 1;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '0') {
      length = i + 1;
    } else if (text[i] != '_' || text[i - 1] == '_') {
      break;
    }
  }
  return length;
}

size_t NameLength(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = ByteOf(text.substr(at), 1);
    const char32_t c = Decode(text.substr(at, length))[0];
    if (!IsWord(c) && !IsIdentifierPart(c)) break;
    at += length;
  }
  return at;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(NormaliseLines(source)) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (at_ < source_.size()) COHORT_RETURN_IF_ERROR(TakeText());
    Add(TokenType::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view Rest() const {
    return std::string_view(source_).substr(at_);
  }
  bool At(std::string_view text) const {
    return Rest().substr(0, text.size()) == text;
  }

  void Add(TokenType type, std::string_view text) {
    tokens_.push_back(
        {.type = type, .line = line_, .text = std::string(text), .value = {}});
  }

  // Moves on, counting lines.
  void Skip(size_t bytes) {
    const std::string_view passed = Rest().substr(0, bytes);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    if (!passed.empty()) line_starting_ = passed.back() == '\n';
    at_ += passed.size();
  }

  void SkipSpace() {
    Skip(Rest().size() - StripSpace(Rest(), Side::kLeft).size());
  }

  // Text before a tag that begins at `end`, of which `sign` follows the braces.
  void AddText(size_t end, char sign, bool is_variable) {
    std::string_view text = Rest().substr(0, end - at_);
    if (sign == '-') {
      text = StripSpace(text, Side::kRight);
    } else if (sign != '+' && !is_variable) {
      const size_t line = text.rfind('\n') + 1;  // npos + 1 is 0.
      const std::string_view indent = text.substr(line);
      if ((line > 0 || line_starting_) &&
          StripSpace(indent, Side::kRight).empty()) {
        text = text.substr(0, line);
      }
    }
    if (!text.empty()) Add(TokenType::kData, text);
    Skip(end - at_);
  }

  static char SignAt(std::string_view text, size_t at) {
    return at < text.size() && (text[at] == '-' || text[at] == '+') ? text[at]
                                                                    : '\0';
  }

  absl::Status TakeText() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) {
        Add(TokenType::kData, Rest());
        Skip(Rest().size());
        return absl::OkStatus();
      }
      const char kind = source_[tag + 1];
      if (kind == '{' || kind == '%' || kind == '#') break;
    }
    const char kind = source_[tag + 1];
    const char sign = SignAt(source_, tag + 2);
    AddText(tag, sign, kind == '{');
    if (kind == '%') {
      if (const size_t raw = RawBeginLength(); raw > 0) return TakeRaw(raw);
    }
    const int line = line_;
    Skip(sign == '\0' ? 2 : 3);
    if (kind == '#') return TakeComment(line);
    Add(kind == '{' ? TokenType::kVariableBegin : TokenType::kBlockBegin, "");
    return TakeCode(kind == '{');
  }

  // Bytes of "{% raw %}" here; 0 if something else stands here.
  size_t RawBeginLength() const {
    std::string_view rest = Rest().substr(2);
    if (SignAt(rest, 0) != '\0') rest.remove_prefix(1);
    rest = StripSpace(rest, Side::kLeft);
    if (rest.substr(0, 3) != "raw") return 0;
    rest = StripSpace(rest.substr(3), Side::kLeft);
    if (rest.substr(0, 2) == "%}") {
      rest.remove_prefix(2);
    } else if (rest.substr(0, 3) == "-%}") {
      rest = StripSpace(rest.substr(3), Side::kLeft);
    } else {
      return 0;
    }
    return Rest().size() - rest.size();
  }

  // Bytes of the end of a block that stands at `text`'s beginning; 0 if none
  // does.
  static size_t EndLength(std::string_view text, std::string_view end,
                          bool trims_line) {
    if (text.substr(0, 1) == "-" && text.substr(1, 2) == end) {
      return text.size() - StripSpace(text.substr(3), Side::kLeft).size();
    }
    if (trims_line && text.substr(0, 1) == "+" && text.substr(1, 2) == end) {
      return 3;
    }
    if (text.substr(0, 2) != end) return 0;
    return trims_line && text.substr(2, 1) == "\n" ? 3 : 2;
  }

  absl::Status TakeComment(int line) {
    for (size_t end = at_; end < source_.size(); ++end) {
      const size_t length =
          EndLength(std::string_view(source_).substr(end), "#}", true);
      if (length == 0) continue;
      Skip(end - at_ + length);
      return absl::OkStatus();
    }
    // Jinja's own rule: nothing at all behind the beginning is no error.
    if (at_ == source_.size()) return absl::OkStatus();
    return SyntaxError(line, "Missing end of comment tag");
  }

  absl::Status TakeRaw(size_t begin_length) {
    const int line = line_;
    Skip(begin_length);
    for (size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 1)) {
      std::string_view rest = std::string_view(source_).substr(tag + 2);
      const char sign = SignAt(rest, 0);
      if (sign != '\0') rest.remove_prefix(1);
      rest = StripSpace(rest, Side::kLeft);
      if (rest.substr(0, 6) != "endraw") continue;
      rest = StripSpace(rest.substr(6), Side::kLeft);
      const size_t end = EndLength(rest, "%}", true);
      if (end == 0) continue;
      AddText(tag, sign, /*is_variable=*/false);
      Skip(Rest().size() - rest.size() + end);
      return absl::OkStatus();
    }
    if (at_ == source_.size()) return absl::OkStatus();
    return SyntaxError(line, "Missing end of raw directive");
  }

  absl::Status TakeCode(bool is_variable) {
    const std::string_view end = is_variable ? "}}" : "%}";
    std::string open;
    while (at_ < source_.size()) {
      const size_t end_length =
          open.empty() ? EndLength(Rest(), end, !is_variable) : 0;
      if (end_length > 0) {
        Add(is_variable ? TokenType::kVariableEnd : TokenType::kBlockEnd, "");
        Skip(end_length);
        return absl::OkStatus();
      }
      COHORT_RETURN_IF_ERROR(TakeToken(&open));
    }
    return absl::OkStatus();  // The parser says what is missing.
  }

  absl::Status TakeToken(std::string* open) {
    const size_t before = at_;
    SkipSpace();
    if (at_ != before) return absl::OkStatus();
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    if (const size_t real = after_dot ? 0 : FloatLength(Rest()); real > 0) {
      return TakeNumber(TokenType::kFloat, real);
    }
    if (const size_t whole = IntegerLength(Rest()); whole > 0) {
      return TakeNumber(TokenType::kInteger, whole);
    }
    if (const size_t name = NameLength(Rest()); name > 0) {
      if (!IsIdentifier(Rest().substr(0, name))) {
        return SyntaxError(line_, "Invalid character in identifier");
      }
      Add(TokenType::kName, Rest().substr(0, name));
      Skip(name);
      return absl::OkStatus();
    }
    if (At("'") || At("\"")) {
      if (const size_t length = StringLength(Rest()); length > 0) {
        return TakeString(length);
      }
    }
    return TakeOperator(open);
  }

  absl::Status TakeNumber(TokenType type, size_t length) {
    const std::string_view text = Rest().substr(0, length);
    std::optional<Value> value;
    if (type == TokenType::kInteger) {
      value = ParseInt(text, 0);
    } else if (const std::optional<double> real = ParseFloat(text)) {
      value = Value::Float(*real);
    }
    if (!value) return SyntaxError(line_, "a number has too many digits");
    Add(type, text);
    tokens_.back().value = *std::move(value);
    Skip(length);
    return absl::OkStatus();
  }

  absl::Status TakeString(size_t length) {
    const absl::StatusOr<std::string> text =
        Unescape(Rest().substr(1, length - 2));
    if (!text.ok()) return SyntaxError(line_, Cat(text.status().message()));
    Add(TokenType::kString, "");
    tokens_.back().value = Value::String(*text);
    Skip(length);
    return absl::OkStatus();
  }

  absl::Status TakeOperator(std::string* open) {
    for (const std::string_view op : kOperators) {
      if (!At(op)) continue;
      const char c = op[0];
      if (c == '{') open->push_back('}');
      if (c == '(') open->push_back(')');
      if (c == '[') open->push_back(']');
      if (c == '}' || c == ')' || c == ']') {
        if (open->empty()) {
          return SyntaxError(line_, Cat("unexpected '", op, "'"));
        }
        if (open->back() != c) {
          return SyntaxError(line_, Cat("unexpected '", op, "', expected '",
                                        std::string(1, open->back()), "'"));
        }
        open->pop_back();
      }
      Add(TokenType::kOperator, op);
      Skip(op.size());
      return absl::OkStatus();
    }
    const std::string_view character = Rest().substr(0, ByteOf(Rest(), 1));
    return SyntaxError(line_,
                       Cat("unexpected char ", Quote(character), " at ", at_));
  }

  const std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string Token::Describe() const {
  switch (type) {
    case TokenType::kData:
      return "template data / text";
    case TokenType::kVariableBegin:
      return "begin of print statement";
    case TokenType::kVariableEnd:
      return "end of print statement";
    case TokenType::kBlockBegin:
      return "begin of statement block";
    case TokenType::kBlockEnd:
      return "end of statement block";
    case TokenType::kString:
      return "string";
    case TokenType::kInteger:
      return "integer";
    case TokenType::kFloat:
      return "float";
    case TokenType::kEnd:
      return "end of template";
    case TokenType::kName:
    case TokenType::kOperator:
      break;
  }
  return text;
}

absl::Status SyntaxError(int line, std::string_view message) {
  return absl::InvalidArgumentError(
      Cat("line ", line, ": TemplateSyntaxError: ", message));
}

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source) {
  return Lexer(source).Run();
}

}  // namespace cohort::jinja
