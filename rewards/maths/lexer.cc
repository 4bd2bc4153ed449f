#include "rewards/maths/lexer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "rewards/maths/units.h"
#include "rewards/maths/words.h"

namespace cohort {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return absl::ascii_isalpha(c); }

// A decimal number with the block of digits that repeats for ever.
mpq_class Repeating(const std::string& whole, const std::string& fixed,
                    const std::string& block) {
  mpz_class scale;
  mpz_ui_pow_ui(scale.get_mpz_t(), 10, fixed.size());
  mpz_class nines;
  mpz_ui_pow_ui(nines.get_mpz_t(), 10, block.size());
  nines -= 1;
  const std::string head = whole + fixed;
  mpq_class value(
      mpz_class(head.empty() ? "0" : head, 10) * nines + mpz_class(block, 10),
      scale * nines);
  value.canonicalize();
  return value;
}

class Lexer {
 public:
  Lexer(std::string_view text, const LexOptions& options)
      : text_(text), options_(options) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (true) {
      SkipSpace();
      if (at_ >= text_.size()) break;
      COHORT_RETURN_IF_ERROR(TakeOne());
    }
    Push(TokenKind::kEnd, at_, at_);
    return std::move(tokens_);
  }

 private:
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool Follows(std::string_view word) const {
    return text_.substr(at_).starts_with(word);
  }

  void SkipSpace() {
    while (at_ < text_.size() && (absl::ascii_isspace(text_[at_]) ||
                                  text_[at_] == '$' || text_[at_] == '~')) {
      spaced_ = true;
      ++at_;
    }
  }

  Token& Push(TokenKind kind, size_t begin, size_t end) {
    Token token;
    token.kind = kind;
    token.spaced = spaced_;
    token.begin = begin;
    token.text = text_.substr(begin, end - begin);
    tokens_.push_back(std::move(token));
    spaced_ = false;
    return tokens_.back();
  }

  absl::Status TakeOne() {
    const char c = Peek();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return TakeNumber();
    if (IsLetter(c)) return TakeLetters();
    if (c == '\\') return TakeCommand();
    if (c < ' ' || c > '~') {
      return absl::InvalidArgumentError("a character that answers do not hold");
    }
    if (c == '!' && Peek(1) == '=') return TakeTwo("ne");
    if (c == '<' && Peek(1) == '=') return TakeTwo("le");
    if (c == '>' && Peek(1) == '=') return TakeTwo("ge");
    if (c == '=' && Peek(1) == '=') ++at_;
    if (c == '*' && Peek(1) == '*') {
      at_ += 2;
      Push(TokenKind::kChar, at_, at_).text = "^";
      return absl::OkStatus();
    }
    ++at_;
    if (c == '(' || c == '[') ++brackets_;
    if (c == ')' || c == ']') --brackets_;
    Push(TokenKind::kChar, at_ - 1, at_);
    return absl::OkStatus();
  }

  absl::Status TakeTwo(std::string_view command) {
    at_ += 2;
    Push(TokenKind::kCommand, at_ - 2, at_).text = command;
    return absl::OkStatus();
  }

  // Digits with separators between groups of three.
  std::string TakeDigits() {
    std::string digits;
    while (IsDigit(Peek())) digits += text_[at_++];
    if (digits.empty() || digits.size() > 3 || digits[0] == '0') return digits;
    for (const std::string_view comma :
         {",", "{,}", ",\\!", "{,\\!}", "\\,", "\\ ", "\\;", " "}) {
      if (GroupFollows(comma)) {
        while (GroupFollows(comma)) {
          at_ += comma.size();
          SkipThinSpace();
          digits.append(text_.substr(at_, 3));
          at_ += 3;
        }
        break;
      }
    }
    return digits;
  }

  void SkipThinSpace() {
    while (Peek() == ' ') ++at_;
  }

  bool GroupFollows(std::string_view comma) const {
    if (!Follows(comma)) return false;
    size_t at = at_ + comma.size();
    // ",\! 234" holds a space that TeX does not show.
    if (comma.ends_with("!")) {
      while (at < text_.size() && text_[at] == ' ') ++at;
    }
    for (size_t i = 0; i < 3; ++i) {
      if (at + i >= text_.size() || !IsDigit(text_[at + i])) return false;
    }
    const char after = at + 3 < text_.size() ? text_[at + 3] : ' ';
    // In (100,200) the comma stands between two numbers; in (1,000) it cannot.
    if (comma == "," && brackets_ > 0 && text_[at] != '0') return false;
    if (comma == " " && (after == '/' || after == '.')) return false;
    return !IsDigit(after);
  }

  absl::Status TakeNumber() {
    const size_t begin = at_;
    const std::string whole = TakeDigits();
    std::string decimals;
    std::string block;
    bool point = false;
    const bool comma = options_.decimal_comma && Peek() == ',';
    if ((Peek() == '.' || comma || Follows("{,}")) && !Follows("..") &&
        (Peek() == '.' || IsDigit(Peek(comma ? 1 : 3)))) {
      point = true;
      at_ += Follows("{,}") ? 3 : 1;
      while (IsDigit(Peek())) decimals += text_[at_++];
      TakeBlock(&decimals, &block);
    }
    if (whole.size() + decimals.size() + block.size() > kMaxNumberDigits) {
      return absl::InvalidArgumentError("a number of too many digits");
    }
    if (whole == "0" && (Peek() == 'x' || Peek() == 'X' || Peek() == 'b') &&
        absl::ascii_isxdigit(Peek(1))) {
      return absl::InvalidArgumentError("a number of a programming language");
    }
    mpq_class value;
    if (!block.empty()) {
      value = Repeating(whole, decimals, block);
    } else {
      mpz_class scale;
      mpz_ui_pow_ui(scale.get_mpz_t(), 10, decimals.size());
      const std::string digits = whole + decimals;
      value = mpq_class(mpz_class(digits.empty() ? "0" : digits, 10), scale);
      value.canonicalize();
    }
    const bool exponent = block.empty() && TakeExponent(&value);
    const bool mixed = !point && !exponent && TakeMixed(&value);
    Token& token = Push(TokenKind::kNumber, begin, at_);
    token.number = std::move(value);
    token.literal = !point && !exponent && !mixed;
    token.decimal = point && block.empty();
    token.decimals = block.empty() ? static_cast<int>(decimals.size()) : -1;
    return absl::OkStatus();
  }

  // \overline{3}, \bar{3}, \dot{3}, (3) behind decimals; "333..." as well.
  void TakeBlock(std::string* decimals, std::string* block) {
    const size_t begin = at_;
    std::string_view close = "}";
    for (const std::string_view open :
         {"\\overline{", "\\overline {", "\\bar{", "\\dot{", "{\\overline{",
          "\\overline", "\\bar", "\\dot", "("}) {
      if (!Follows(open)) continue;
      at_ += open.size();
      if (open == "(") close = ")";
      if (open.starts_with("{")) close = "}}";
      const bool bare = !open.ends_with("{") && open != "(";
      if (bare && Peek() == ' ') ++at_;
      while (IsDigit(Peek()) && !(bare && !block->empty())) {
        *block += text_[at_++];
      }
      if (!block->empty() && (bare || Follows(close))) {
        at_ += bare ? 0 : close.size();
        if (open.starts_with("\\dot")) TakeLastDot(block);
        return;
      }
      block->clear();
      at_ = begin;
      return;
    }
    TakeEllipsis(decimals, block);
  }

  // The block that one dotted digit begins ends with another: 0.\dot{1}4\dot{2}
  void TakeLastDot(std::string* block) {
    const size_t begin = at_;
    std::string more;
    while (IsDigit(Peek())) more += text_[at_++];
    const bool braced = Follows("\\dot{");
    if (braced || Follows("\\dot ")) {
      at_ += 5;
      if (IsDigit(Peek()) && (!braced || Peek(1) == '}')) {
        *block += more + text_[at_];
        at_ += braced ? 2 : 1;
        return;
      }
    }
    at_ = begin;
  }

  // "0.333...", "0.1666\ldots", "0.1212...": the shortest block that stands at
  // least twice (one digit: three times) repeats.
  void TakeEllipsis(std::string* decimals, std::string* block) {
    size_t dots = 0;
    for (const std::string_view sign :
         {"...", "\\ldots", "\\dots", "\\cdots"}) {
      if (Follows(sign)) dots = sign.size();
    }
    if (dots == 0) return;
    const std::string& d = *decimals;
    for (size_t size = 1; size <= d.size() / 2; ++size) {
      const size_t times = size == 1 ? 3 : 2;
      if (d.size() < size * times) continue;
      bool repeats = true;
      for (size_t i = d.size() - size * (times - 1); i < d.size(); ++i) {
        repeats = repeats && d[i] == d[i - size];
      }
      if (!repeats) continue;
      *block = d.substr(d.size() - size);
      at_ += dots;
      return;
    }
  }

  // 3.0e8, 1.5E-3
  bool TakeExponent(mpq_class* value) {
    if (Peek() != 'e' && Peek() != 'E') return false;
    size_t at = at_ + 1;
    const bool negative = at < text_.size() && text_[at] == '-';
    if (at < text_.size() && (text_[at] == '-' || text_[at] == '+')) ++at;
    const size_t digits = at;
    unsigned exponent = 0;
    while (at < text_.size() && IsDigit(text_[at]) && at - digits < 5) {
      exponent = exponent * 10 + static_cast<unsigned>(text_[at++] - '0');
    }
    if (at == digits || exponent > 1000) return false;
    if (at < text_.size() && (IsDigit(text_[at]) || IsLetter(text_[at]))) {
      return false;
    }
    mpz_class scale;
    mpz_ui_pow_ui(scale.get_mpz_t(), 10, exponent);
    if (negative) {
      *value /= mpq_class(scale);
    } else {
      *value *= mpq_class(scale);
    }
    at_ = at;
    return true;
  }

  // "2 1/3": a whole number, a space, a proper fraction.
  bool TakeMixed(mpq_class* value) {
    size_t at = at_;
    const auto space = [&] {
      const size_t from = at;
      while (at < text_.size() && (text_[at] == ' ' || text_[at] == '~')) ++at;
      return at > from;
    };
    const auto digits = [&] {
      const size_t from = at;
      while (at < text_.size() && IsDigit(text_[at]) && at - from < 10) ++at;
      return std::string(text_.substr(from, at - from));
    };
    if (!space()) return false;
    const std::string above = digits();
    if (above.empty()) return false;
    space();
    if (at >= text_.size() || text_[at] != '/') return false;
    ++at;
    space();
    const std::string below = digits();
    if (below.empty() || (at < text_.size() && IsDigit(text_[at])))
      return false;
    const mpz_class numerator(above, 10);
    const mpz_class denominator(below, 10);
    if (numerator == 0 || numerator >= denominator) return false;
    *value += mpq_class(numerator, denominator);
    value->canonicalize();
    at_ = at;
    return true;
  }

  // A run of letters: a word that stands for something, or single letters.
  absl::Status TakeLetters() {
    const size_t begin = at_;
    while (IsLetter(Peek())) ++at_;
    std::string_view run = text_.substr(begin, at_ - begin);
    const bool ordinal =
        AfterNumber() && !spaced_ &&
        (run == "st" || run == "nd" || run == "rd" || run == "th");
    if (ordinal) return absl::OkStatus();
    const bool differential = run.size() == 2 && run[0] == 'd';
    const bool known = run.size() == 1 || IsKnownWord(run) || differential ||
                       (AfterNumber() && FindUnit(run) != nullptr);
    // Words side by side are a sentence, not a product of letters.
    const bool beside = spaced_ && !tokens_.empty() &&
                        (tokens_.back().kind == TokenKind::kLetter ||
                         tokens_.back().kind == TokenKind::kWord);
    if (beside && !IsKnownWord(run) && (!known || unknown_run_)) {
      return absl::InvalidArgumentError("words");
    }
    unknown_run_ = !known;
    size_t from = begin;
    while (!run.empty()) {
      const size_t size = WordAtFront(run, from == begin && AfterNumber());
      const TokenKind kind = size > 1 ? TokenKind::kWord : TokenKind::kLetter;
      Push(kind, from, from + size);
      from += size;
      run.remove_prefix(size);
    }
    return absl::OkStatus();
  }

  bool AfterNumber() const {
    return !tokens_.empty() && tokens_.back().kind == TokenKind::kNumber;
  }

  absl::Status TakeCommand() {
    const size_t begin = at_++;
    if (!IsLetter(Peek())) return TakeSign(begin);
    while (IsLetter(Peek())) ++at_;
    std::string_view name = text_.substr(begin + 1, at_ - begin - 1);
    if (name != "begin" && name != "end") {
      const size_t known = CommandAtFront(name);
      if (known > 0) name = name.substr(0, known);
      at_ = begin + 1 + name.size();
    }
    if (IsLayoutCommand(name)) {
      spaced_ = true;
      // "\left." opens nothing.
      if ((name == "left" || name == "right") && Peek() == '.') ++at_;
      return absl::OkStatus();
    }
    if (IsTextCommand(name)) return TakeText(name);
    if (name == "begin" || name == "end") return TakeEnvironment(begin);
    Push(TokenKind::kCommand, begin, at_).text = name;
    return absl::OkStatus();
  }

  // A backslash and one character that is no letter.
  absl::Status TakeSign(size_t begin) {
    const char c = Peek();
    ++at_;
    if (at_ > text_.size()) {
      at_ = text_.size();  // A backslash at the end says nothing.
      return absl::OkStatus();
    }
    if (absl::ascii_isspace(c) || c == ',' || c == ';' || c == ':' ||
        c == '!' || c == '(' || c == ')' || c == '[' || c == ']' || c == '/') {
      spaced_ = true;
      return absl::OkStatus();
    }
    if (c == '{' || c == '}' || c == '\\' || c == '|' || c == '%' || c == '$' ||
        c == '#' || c == '_' || c == '&') {
      if (c == '{') ++brackets_;
      if (c == '}') --brackets_;
      Push(TokenKind::kCommand, begin, at_).text = text_.substr(begin + 1, 1);
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError("an unknown command");
  }

  // \text{..}; the braces inside are balanced.
  absl::Status TakeText(std::string_view name) {
    SkipSpace();
    if (Peek() != '{') {
      // "\rm cm" sets the font of what follows.
      spaced_ = true;
      return absl::OkStatus();
    }
    const size_t begin = ++at_;
    int depth = 1;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '{') {
        ++depth;
      } else if (text_[at_] == '}' && --depth == 0) {
        break;
      }
    }
    if (at_ >= text_.size()) return absl::InvalidArgumentError("an open brace");
    Token& token = Push(TokenKind::kText, begin, at_);
    token.operatorname = name == "operatorname" || name == "mathrm";
    ++at_;
    return absl::OkStatus();
  }

  // \begin{pmatrix} -> a command "begin pmatrix"
  absl::Status TakeEnvironment(size_t begin) {
    SkipSpace();
    if (Peek() != '{') return absl::InvalidArgumentError("no environment");
    const size_t name = at_;
    while (at_ < text_.size() && text_[at_] != '}') ++at_;
    if (at_ >= text_.size()) return absl::InvalidArgumentError("an open brace");
    const bool opens = text_[begin + 1] == 'b';
    Token& token = Push(TokenKind::kCommand, begin, at_);
    const std::string_view environment = text_.substr(name + 1, at_ - name - 1);
    ++at_;
    token.text = EnvironmentToken(environment, opens);
    // The columns of an array: {cc|c}.
    if (opens && environment == "array") {
      SkipSpace();
      if (Peek() == '{') {
        while (at_ < text_.size() && text_[at_] != '}') ++at_;
        if (at_ < text_.size()) ++at_;
      }
    }
    if (token.text.empty()) {
      return absl::InvalidArgumentError("an unknown environment");
    }
    return absl::OkStatus();
  }

  const std::string_view text_;
  const LexOptions options_;
  size_t at_ = 0;
  bool spaced_ = false;
  int brackets_ = 0;          // Open ones, TeX's own braces left out.
  bool unknown_run_ = false;  // The last letters were no word that is known.
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<Token>> Lex(std::string_view text,
                                       const LexOptions& options) {
  if (text.size() > kMaxAnswerBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("longer than ", kMaxAnswerBytes, " bytes"));
  }
  return Lexer(text, options).Run();
}

}  // namespace cohort
