// Python literals -> PyValue.
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmpxx.h"
#include "proto/status.h"
#include "rewards/py_value.h"

namespace cohort {
namespace {

using Kind = PyValue::Kind;
constexpr int kMaxDepth = 200;

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const uint32_t lead = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
  out->push_back(static_cast<char>(lead | code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) {
    out->push_back(static_cast<char>(0x80 | (code >> (6 * i) & 0x3F)));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<PyValue> ParseWhole() {
    COHORT_ASSIGN_OR_RETURN(PyValue value, ParseValue(0));
    SkipSpace();
    if (at_ != text_.size()) return Flaw("more behind the value");
    return value;
  }

 private:
  absl::Status Flaw(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("Python literal, character ", at_ + 1, ": ", what));
  }

  void SkipSpace() {
    while (at_ < text_.size() && absl::ascii_isspace(text_[at_])) ++at_;
  }

  bool Take(std::string_view token) {
    SkipSpace();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  char Peek() {
    SkipSpace();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  absl::StatusOr<PyValue> ParseValue(int depth) {
    if (depth > kMaxDepth) return Flaw("nested too deeply");
    const char next = Peek();
    if (next == '[' || next == '(' || next == '{') return ParseItems(depth);
    if (absl::ascii_isdigit(next) || next == '-' || next == '+' ||
        next == '.') {
      return ParseNumber();
    }
    if (next == '\'' || next == '"') return ParseText(Kind::kStr);
    if ((next == 'b' || next == 'B') && at_ + 1 < text_.size() &&
        (text_[at_ + 1] == '\'' || text_[at_ + 1] == '"')) {
      ++at_;
      return ParseText(Kind::kBytes);
    }
    return ParseName(depth);
  }

  absl::StatusOr<PyValue> ParseName(int depth) {
    PyValue value;
    const std::pair<const char*, Kind> words[] = {
        {"None", Kind::kNone}, {"True", Kind::kTrue}, {"False", Kind::kFalse}};
    for (const auto& [word, kind] : words) {
      if (!Take(word)) continue;
      value.kind = kind;
      return value;
    }
    if (Take("set()")) {
      value.kind = Kind::kSet;
      return value;
    }
    if (Take("frozenset(")) {
      if (!Take(")")) {
        COHORT_ASSIGN_OR_RETURN(value, ParseValue(depth + 1));
        if (!Take(")")) return Flaw("')' expected");
      }
      value.kind = Kind::kFrozenSet;
      return value;
    }
    if (Take("float(")) {
      COHORT_ASSIGN_OR_RETURN(const PyValue inner, ParseText(Kind::kStr));
      value.kind = Kind::kFloat;
      if (!absl::SimpleAtod(inner.text, &value.real) || !Take(")")) {
        return Flaw("no float");
      }
      return value;
    }
    return Flaw("no value");
  }

  // A list, a tuple, a value in brackets, a set or a dictionary.
  absl::StatusOr<PyValue> ParseItems(int depth) {
    const char open = text_[at_++];
    const char* const close = open == '[' ? "]" : open == '(' ? ")" : "}";
    PyValue value;
    value.kind = open == '['   ? Kind::kList
                 : open == '(' ? Kind::kTuple
                               : Kind::kDict;
    bool comma = false;
    while (!Take(close)) {
      if (!value.items.empty() && !comma) return Flaw("',' expected");
      COHORT_ASSIGN_OR_RETURN(PyValue item, ParseValue(depth + 1));
      value.items.push_back(std::move(item));
      if (open == '{') {
        const bool pair = Take(":");
        if (value.items.size() == 1 && !pair) value.kind = Kind::kSet;
        if (pair != (value.kind == Kind::kDict)) return Flaw("half a pair");
        if (pair) {
          COHORT_ASSIGN_OR_RETURN(value.items.emplace_back(),
                                  ParseValue(depth + 1));
        }
      }
      comma = Take(",");
    }
    if (open == '(' && value.items.size() == 1 && !comma) {
      return PyValue(value.items[0]);
    }
    return value;
  }

  absl::StatusOr<PyValue> ParseNumber() {
    const size_t begin = at_;
    while (at_ < text_.size() && (absl::ascii_isalnum(text_[at_]) ||
                                  text_[at_] == '.' || text_[at_] == '_' ||
                                  ((text_[at_] == '-' || text_[at_] == '+') &&
                                   (at_ == begin || text_[at_ - 1] == 'e' ||
                                    text_[at_ - 1] == 'E')))) {
      ++at_;
    }
    std::string digits(text_.substr(begin, at_ - begin));
    std::erase(digits, '_');
    PyValue value;
    if (digits.find_first_of(".eEni") == std::string::npos ||
        digits.find("0x") != std::string::npos) {
      if (digits[0] == '+') digits.erase(0, 1);
      mpz_class number;
      if (number.set_str(digits, 0) != 0) return Flaw("no number");
      value.kind = Kind::kInt;
      value.text = number.get_str(16);
      return value;
    }
    value.kind = Kind::kFloat;
    if (!absl::SimpleAtod(digits, &value.real)) return Flaw("no number");
    return value;
  }

  absl::StatusOr<PyValue> ParseText(Kind kind) {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return Flaw("a quote expected");
    ++at_;
    PyValue value;
    value.kind = kind;
    while (true) {
      if (at_ >= text_.size()) return Flaw("an open text");
      const char next = text_[at_++];
      if (next == quote) return value;
      if (next != '\\') {
        value.text.push_back(next);
        continue;
      }
      if (at_ >= text_.size()) return Flaw("an open text");
      COHORT_RETURN_IF_ERROR(ParseEscape(kind, &value.text));
    }
  }

  absl::Status ParseEscape(Kind kind, std::string* text) {
    const char letter = text_[at_++];
    const std::string_view plain = "\\'\"abfnrtv0";
    const std::string_view meaning("\\'\"\a\b\f\n\r\t\v\0", 11);
    const size_t digits = letter == 'x'   ? 2
                          : letter == 'u' ? 4
                          : letter == 'U' ? 8
                                          : 0;
    if (digits > 0) {
      uint32_t code = 0;
      if (at_ + digits > text_.size() ||
          !absl::SimpleHexAtoi(absl::string_view(text_.data() + at_, digits),
                               &code) ||
          code > 0x10FFFF) {
        return Flaw("a wrong escape");
      }
      at_ += digits;
      if (kind == Kind::kBytes) {
        text->push_back(static_cast<char>(code));
      } else {
        AppendUtf8(code, text);
      }
      return absl::OkStatus();
    }
    const size_t found = plain.find(letter);
    if (found == std::string_view::npos) return Flaw("an unknown escape");
    text->push_back(meaning[found]);
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<PyValue> ParsePyLiteral(std::string_view text) {
  return Parser(text).ParseWhole();
}

}  // namespace cohort
