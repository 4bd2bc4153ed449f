// Tokens where an operand is due: numbers, symbols, opening brackets, macros.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "rewards/maths/parser_state.h"
#include "rewards/maths/text.h"
#include "rewards/maths/words.h"

namespace cohort {
namespace {

std::string_view Trimmed(std::string_view text) {
  const absl::string_view trimmed =
      absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size()));
  return {trimmed.data(), trimmed.size()};
}

bool AllOf(std::string_view text, bool (*is)(unsigned char)) {
  for (const char c : text) {
    if (!is(static_cast<unsigned char>(c))) return false;
  }
  return !text.empty();
}

// f(x) is a call where the name is one of these.
bool NamesFunction(std::string_view name) {
  return !name.empty() &&
         std::string_view("fghFGH").find(name[0]) != std::string_view::npos;
}

}  // namespace

absl::Status MathParser::PushSymbol(std::string name) {
  while (true) {
    if (Now().IsChar('_')) {
      ++at_;
      const std::string index = RawScript();
      if (index.empty()) return NotUnderstood("an index");
      absl::StrAppend(&name, "_", index);
    } else if (Now().IsChar('\'')) {
      ++at_;
      name += '\'';
    } else {
      break;
    }
  }
  const bool call = Now().IsChar('(') && NamesFunction(name);
  const int symbol = e_.AddNamed(Op::kSymbol, name);
  COHORT_RETURN_IF_ERROR(Deliver(symbol));
  if (call && Top().kind != FrameKind::kMacro && !operands_.empty() &&
      LastOperand() == symbol) {
    ++at_;
    COHORT_RETURN_IF_ERROR(Open(FrameKind::kParen, '('));
    Top().call = symbol;
  }
  return absl::OkStatus();
}

// An index as it is written, without spaces and braces: {n+1}, 1, i.
std::string MathParser::RawScript() {
  if (!Now().IsChar('{')) {
    if (Now().kind == TokenKind::kEnd) return "";
    return std::string(tokens_[at_++].text);
  }
  std::string raw;
  int depth = 0;
  for (; Now().kind != TokenKind::kEnd; ++at_) {
    if (Now().IsChar('{')) {
      ++depth;
    } else if (Now().IsChar('}')) {
      if (--depth == 0) {
        ++at_;
        return raw;
      }
    } else {
      if (Now().kind == TokenKind::kCommand) raw += '\\';
      raw += Now().text;
    }
  }
  return "";
}

absl::Status MathParser::PushConstant(Op op) { return Deliver(e_.Add(op, {})); }

absl::Status MathParser::PushNumber(const Token& token) {
  uint8_t flags = 0;
  if (token.literal) flags |= kLiteral;
  if (token.decimal) flags |= kDecimal;
  return Deliver(e_.AddNumber(token.number, flags, token.decimals));
}

absl::Status MathParser::PushPrefix(Pending kind) {
  ++at_;
  int precedence = kSignLevel;
  const Token& before_sign = tokens_[at_ >= 2 ? at_ - 2 : 0];
  if (at_ >= 2 && (before_sign.IsChar('-') || before_sign.IsChar('+')) &&
      operators_.size() > Top().operators &&
      operators_.back().kind >= Pending::kNegate) {
    return NotUnderstood("two signs");
  }
  if (operators_.size() > Top().operators) {
    const int before = operators_.back().precedence;
    if (before >= kMultiplyLevel) precedence = kPrefixLevel;
    if (before >= kPowerLevel) precedence = kTightLevel;
  }
  operators_.push_back({.kind = kind, .precedence = precedence});
  return absl::OkStatus();
}

absl::Status MathParser::PushFunction(Function function) {
  const bool decimal = Now().text == "lg";
  ++at_;
  operators_.push_back({.kind = Pending::kFunction,
                        .precedence = kFunctionLevel,
                        .function = function});
  if (decimal) operators_.back().index = e_.AddNumber(10);
  return ScriptsOfOperator();
}

absl::Status MathParser::PushScripted(Pending kind) {
  ++at_;
  operators_.push_back({.kind = kind, .precedence = kSumLevel});
  return ScriptsOfOperator();
}

// What stands below and above the name on top of the operators.
absl::Status MathParser::ScriptsOfOperator() {
  if (Now().IsChar('_')) {
    ++at_;
    return OpenMacro(Macro::kIndex, 1);
  }
  if (Now().IsChar('^')) {
    ++at_;
    return OpenMacro(Macro::kExponent, 1);
  }
  if (operators_.back().kind == Pending::kFunction) after_function_ = true;
  if (operators_.back().kind == Pending::kLimit &&
      operators_.back().function == Function::kRound) {
    // An integral: its own frame, up to the "d x".
    const Operator op = operators_.back();
    operators_.pop_back();
    COHORT_RETURN_IF_ERROR(Open(FrameKind::kIntegral, 'd'));
    Top().low = op.index;
    Top().high = op.exponent;
  }
  return absl::OkStatus();
}

absl::Status MathParser::TakeOperand() {
  const Token& token = Now();
  if (token.kind != TokenKind::kChar && token.kind != TokenKind::kCommand) {
    if (Top().kind == FrameKind::kIntegral && token.text == "d" &&
        operators_.size() == Top().operators &&
        Next().kind == TokenKind::kLetter) {
      return CloseIntegral();
    }
  }
  switch (token.kind) {
    case TokenKind::kNumber:
      ++at_;
      after_function_ = false;
      return PushNumber(tokens_[at_ - 1]);
    case TokenKind::kLetter:
      after_function_ = false;
      return TakeLetter();
    case TokenKind::kWord:
      return TakeWord();
    case TokenKind::kText:
      return TakeTextOperand();
    case TokenKind::kChar:
      return TakeOperandChar(token.text[0]);
    case TokenKind::kCommand:
      return TakeOperandCommand(token.text);
    case TokenKind::kEnd:
      break;
  }
  return NotUnderstood("the end");
}

absl::Status MathParser::TakeLetter() {
  const std::string name(Now().text);
  ++at_;
  const bool plain = !Now().IsChar('_') && !Now().IsChar('\'');
  if (name == "e" && plain) return PushConstant(Op::kE);
  if (name == "i" && plain) return PushConstant(Op::kI);
  // Some write the imaginary unit as a capital.
  if (name == "I" && plain && text_.size() > 1) return PushConstant(Op::kI);
  return PushSymbol(name);
}

absl::Status MathParser::TakeWord() {
  const std::string_view word = Now().text;
  if (const char joiner = JoinerNamed(word)) {
    // ", and": the comma has ended the item.
    if (items_.size() == Top().items) return NotUnderstood(word);
    ++at_;
    Top().separators += joiner;
    return absl::OkStatus();
  }
  if (const auto function = FunctionNamed(word)) return PushFunction(*function);
  after_function_ = false;
  if (word == "sqrt" || word == "cbrt") {
    return TakeOperandCommand(word);
  }
  if (word == "frac") return NotUnderstood(word);
  ++at_;
  if (word == "pi") return PushConstant(Op::kPi);
  if (word == "inf" || word == "infty" || word == "infinity" || word == "oo") {
    return PushConstant(Op::kInfinity);
  }
  const bool upper = AllOf(word, absl::ascii_isupper);
  const bool named = Now().IsChar('=');
  if (upper || named || IsSymbolCommand(word)) {
    return PushSymbol(IsSymbolCommand(word)
                          ? absl::StrCat("\\", std::string(word))
                          : std::string(word));
  }
  return NotUnderstood(word);
}

absl::Status MathParser::TakeTextOperand() {
  const Token& token = Now();
  std::string_view text = Trimmed(token.text);
  if (const char joiner = JoinerNamed(text)) {
    if (items_.size() == Top().items) return NotUnderstood(text);
    ++at_;
    Top().separators += joiner;
    return absl::OkStatus();
  }
  if (const auto function = FunctionNamed(text);
      function.has_value() && (token.operatorname || Next().IsChar('('))) {
    return PushFunction(*function);
  }
  after_function_ = false;
  ++at_;
  if (text.size() == 3 && text.front() == '(' && text.back() == ')') {
    text = text.substr(1, 1);  // An option: \text{(C)}.
  }
  if (text.size() == 1 && absl::ascii_isalpha(text[0])) {
    if (text == "e") return PushConstant(Op::kE);
    if (text == "i") return PushConstant(Op::kI);
    return PushSymbol(std::string(text));
  }
  if (AllOf(text, absl::ascii_isdigit)) {
    if (text.size() > kMaxNumberDigits) return NotUnderstood("a long number");
    return Deliver(
        e_.AddNumber(mpq_class(mpz_class(std::string(text), 10)), kLiteral));
  }
  if (AllOf(text, absl::ascii_isupper)) return PushSymbol(std::string(text));
  if (text == "nan" || text == "NaN" || text == "undefined" || text.empty()) {
    return NotUnderstood(text);
  }
  const std::string words = PlainWords(text);
  return Deliver(e_.AddNamed(Op::kText, words));
}

absl::Status MathParser::TakeOperandChar(char c) {
  switch (c) {
    case '(':
    case '[':
      ++at_;
      return Open(FrameKind::kParen, c);
    case ']':  // ]a,b[
      ++at_;
      return Open(FrameKind::kParen, c);
    case '{':
      ++at_;
      return Open(FrameKind::kGroup, c);
    case '|':
      ++at_;
      return Open(FrameKind::kAbs, c);
    case '-':
      return PushPrefix(Pending::kNegate);
    case '+':
      return PushPrefix(Pending::kPlus);
    case '=': {  // "= 5"
      const bool first = Top().relations.empty() &&
                         operators_.size() == Top().operators &&
                         items_.size() == Top().items;
      if (!first) return NotUnderstood("a relation without a left side");
      ++at_;
      return absl::OkStatus();
    }
    case ')':
    case '}': {
      const bool ends_items = items_.size() > Top().items &&
                              Top().relations.empty() &&
                              operators_.size() == Top().operators;
      const bool open_group = c == '}' && Top().kind == FrameKind::kGroup;
      if (open_group && (ends_items || operands_.size() == Top().operands)) {
        return Close("}");
      }
      return NotUnderstood("a bracket");
    }
    default:
      return NotUnderstood("a sign where a number is due");
  }
}

absl::Status MathParser::TakeDelimiterCommand(std::string_view name,
                                              bool* taken) {
  *taken = true;
  ++at_;
  if (name == "{" || name == "lbrace") return Open(FrameKind::kSetBrace, '{');
  if (name == "langle" || name == "lgroup" || name == "lparen") {
    return Open(FrameKind::kParen, '(');
  }
  if (name == "lbrack") return Open(FrameKind::kParen, '[');
  if (name == "vert" || name == "lvert" || name == "|" || name == "Vert" ||
      name == "lVert" || name == "mid") {
    return Open(FrameKind::kAbs, '|');
  }
  if (name == "lfloor" || name == "llcorner") {
    return Open(FrameKind::kFloor, '[');
  }
  if (name == "lceil" || name == "ulcorner") {
    return Open(FrameKind::kCeil, '[');
  }
  if (name == "[matrix") return Open(FrameKind::kMatrix, '[');
  if (name == "[det") return Open(FrameKind::kDet, '[');
  if (name == "[cases") return Open(FrameKind::kCases, '[');
  --at_;
  const bool rows =
      Top().kind >= FrameKind::kMatrix && Top().kind <= FrameKind::kCases;
  if (rows && (name == "]matrix" || name == "]det" || name == "]cases")) {
    return Close("]");
  }
  if ((name == "}" || name == "rbrace") && Top().kind == FrameKind::kSetBrace) {
    return Close("}");
  }
  *taken = false;
  return absl::OkStatus();
}

absl::Status MathParser::TakeOperandCommand(std::string_view name) {
  bool taken = false;
  COHORT_RETURN_IF_ERROR(TakeDelimiterCommand(name, &taken));
  if (taken) return absl::OkStatus();
  if (const auto function = FunctionNamed(name)) return PushFunction(*function);
  COHORT_RETURN_IF_ERROR(TakeMacroCommand(name, &taken));
  if (taken) return absl::OkStatus();
  after_function_ = false;
  if (name == "pm") return PushPrefix(Pending::kPrefixPlusMinus);
  if (name == "mp") return PushPrefix(Pending::kPrefixMinusPlus);
  if (name == "sum") return PushScripted(Pending::kSum);
  if (name == "prod") return PushScripted(Pending::kProduct);
  if (name == "lim") return PushScripted(Pending::kLimit);
  if (name == "int") {
    ++at_;
    // The otherwise unused function tells an integral from a limit.
    operators_.push_back({.kind = Pending::kLimit,
                          .precedence = kSumLevel,
                          .function = Function::kRound});
    return ScriptsOfOperator();
  }
  if (name == "$" || name == "pounds" || name == "euro" || name == "yen") {
    ++at_;
    currency_ = true;
    return absl::OkStatus();
  }
  if (name == "\\" || name == "&" || name == "angle" || name == "triangle" ||
      name == "approx") {
    const bool first = items_.size() == Top().items;
    if (name == "approx" && !first) return NotUnderstood(name);
    ++at_;
    return absl::OkStatus();
  }
  if (name == "det" && Next().IsCommand("[matrix")) {
    at_ += 2;
    return Open(FrameKind::kDet, '[');
  }
  ++at_;
  if (name == "pi") return PushConstant(Op::kPi);
  if (name == "exponentialE") return PushConstant(Op::kE);
  if (name == "imaginaryI" || name == "imaginaryJ") {
    return PushConstant(Op::kI);
  }
  if (name == "infty") return PushConstant(Op::kInfinity);
  if (name == "emptyset" || name == "varnothing") {
    return PushConstant(Op::kEmptySet);
  }
  if (IsSymbolCommand(name)) {
    return PushSymbol(absl::StrCat("\\", std::string(name)));
  }
  return NotUnderstood(absl::StrCat("\\", std::string(name)));
}

}  // namespace cohort
