// Tokens behind an operand: operators, closing brackets, units.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "rewards/maths/parser_state.h"
#include "rewards/maths/units.h"
#include "rewards/maths/words.h"

namespace cohort {
namespace {

std::string_view Trimmed(std::string_view text) {
  const absl::string_view trimmed =
      absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size()));
  return {trimmed.data(), trimmed.size()};
}

// "p.m." -> "pm"
std::string WithoutStops(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != '.') out += c;
  }
  return out;
}

bool IsPercentWord(std::string_view word) {
  return word == "percent" || word == "pct" || word == "\\%" || word == "%" ||
         word == "per cent" || word == "percents";
}

}  // namespace

absl::Status MathParser::Binary(Pending kind, int precedence) {
  ++at_;
  // Powers group from the right.
  COHORT_RETURN_IF_ERROR(
      Reduce(kind == Pending::kPower ? precedence + 1 : precedence));
  operators_.push_back({.kind = kind, .precedence = precedence});
  Top().want = true;
  return absl::OkStatus();
}

bool MathParser::FunctionPending() const {
  return operators_.size() > Top().operators &&
         (operators_.back().kind == Pending::kFunction ||
          operators_.back().precedence == kArgumentLevel);
}

// Two operands side by side: a product. Two numbers are none.
absl::Status MathParser::Juxtapose() {
  const Token& before = tokens_[at_ - 1];
  const bool number_before = before.kind == TokenKind::kNumber;
  if (Now().kind == TokenKind::kNumber && number_before) {
    return NotUnderstood("numbers side by side");
  }
  // "3 hours 20 minutes"
  std::string kinds;
  mpq_class size;
  if (e_.OpOf(LastOperand()) == Op::kQuantity &&
      Now().kind == TokenKind::kNumber && Top().relations.empty() &&
      MeasureUnit(e_.Name(LastOperand()), &kinds, &size)) {
    --at_;  // Nothing separates them; Separate passes one token.
    return Separate(',');
  }
  if (e_.OpOf(LastOperand()) == Op::kQuantity ||
      e_.OpOf(LastOperand()) == Op::kText) {
    return NotUnderstood("something behind a unit");
  }
  const bool function_now =
      (Now().kind == TokenKind::kCommand || Now().kind == TokenKind::kWord ||
       (Now().kind == TokenKind::kText && Now().operatorname)) &&
      FunctionNamed(Trimmed(Now().text)).has_value();
  COHORT_RETURN_IF_ERROR(Reduce(kPowerLevel));
  if (FunctionPending() && function_now) {
    COHORT_RETURN_IF_ERROR(Reduce(kFunctionLevel));
  }
  int precedence = kMultiplyLevel;
  if (FunctionPending()) precedence = kArgumentLevel;
  COHORT_RETURN_IF_ERROR(Reduce(precedence));
  Operator op = {.kind = Pending::kMultiply, .precedence = precedence};
  op.applied = Now().IsChar('(') && e_.OpOf(LastOperand()) == Op::kSymbol;
  const bool fraction = Now().IsCommand("frac") || Now().IsCommand("dfrac") ||
                        Now().IsCommand("tfrac") || Now().IsCommand("cfrac");
  if (number_before && fraction) op.index = kJuxtaposedNumber;
  operators_.push_back(op);
  Top().want = true;
  return absl::OkStatus();
}

absl::Status MathParser::TakeOperator() {
  after_function_ = false;
  const Token& token = Now();
  const bool closes_integral =
      Top().kind == FrameKind::kIntegral && (token.text == "d") &&
      (Next().kind == TokenKind::kLetter ||
       (Next().kind == TokenKind::kCommand && IsSymbolCommand(Next().text)));
  if (closes_integral) return CloseIntegral();
  switch (token.kind) {
    case TokenKind::kChar:
      return TakeOperatorChar(token.text[0]);
    case TokenKind::kCommand:
      return TakeOperatorCommand(token.text);
    case TokenKind::kText: {
      const std::string_view text = Trimmed(token.text);
      if (const char joiner = JoinerNamed(text)) return Separate(joiner);
      if (text.empty()) {
        ++at_;
        return absl::OkStatus();
      }
      if (text == ",") return Separate(',');
      if (text == "to") return Binary(Pending::kRatio, kRatioLevel);
      if (token.operatorname && FunctionNamed(text).has_value()) {
        return Juxtapose();
      }
      return TakeUnit();
    }
    case TokenKind::kWord: {
      if (const char joiner = JoinerNamed(token.text)) return Separate(joiner);
      if (token.text == "mod") return Binary(Pending::kModulo, kMultiplyLevel);
      if (token.text == "to") return Binary(Pending::kRatio, kRatioLevel);
      if (token.text == "choose") return Binary(Pending::kChoose, kAddLevel);
      const bool unit = tokens_[at_ - 1].kind == TokenKind::kNumber &&
                        FindUnit(token.text) != nullptr &&
                        !Next().IsChar('(') && !Next().IsChar('{');
      const bool function = FunctionNamed(token.text).has_value();
      const bool constant = token.text == "pi" || token.text == "sqrt" ||
                            token.text == "inf" || token.text == "infinity";
      if (!unit && (function || constant)) return Juxtapose();
      return TakeUnit();
    }
    case TokenKind::kLetter:
      if (TakeLetterUnit()) return AddUnit(token.text, true);
      return Juxtapose();
    default:
      return Juxtapose();
  }
}

absl::Status MathParser::TakeOperatorChar(char c) {
  switch (c) {
    case '+':
      return Binary(Pending::kAdd, kAddLevel);
    case '-':
      return Binary(Pending::kSubtract, kAddLevel);
    case '*':
      return Binary(Pending::kMultiply, kMultiplyLevel);
    case '/':
      return Binary(Pending::kDivide, kMultiplyLevel);
    case '^':
      return TakePower();
    case '_':
      return TakeBase();
    case '!':
      ++at_;
      LastOperand() = e_.Add(Op::kFactorial, {LastOperand()});
      return absl::OkStatus();
    case '%':
      ++at_;
      LastOperand() = e_.Add(Op::kPercent, {LastOperand()});
      return absl::OkStatus();
    case ',':
    case ';':
      return Separate(c);
    case '&':
      if (Top().kind >= FrameKind::kMatrix && Top().kind <= FrameKind::kCases) {
        return Separate('&');
      }
      ++at_;
      return absl::OkStatus();
    case '=':
    case '<':
    case '>':
      return Relate(c);
    case ':':
      return TakeColon();
    case '.':
      return TakeFullStop();
    case '|':
      return TakeBar();
    case '(':
    case '{':
      return Juxtapose();
    case '[':
      if (Top().kind == FrameKind::kParen) return Close("[");
      return Juxtapose();
    case ')':
    case ']':
      if (Top().kind != FrameKind::kParen) return NotUnderstood("a bracket");
      return Close(c == ')' ? ")" : "]");
    case '}':
      if (Top().kind != FrameKind::kGroup) return NotUnderstood("a brace");
      return Close("}");
    default:
      return NotUnderstood("a sign");
  }
}

absl::Status MathParser::TakeFullStop() {
  // The end of a sentence.
  if (Next().kind == TokenKind::kEnd || Next().IsChar('}') ||
      Next().IsCommand("]cases")) {
    ++at_;
    return absl::OkStatus();
  }
  return NotUnderstood("a full stop");
}

absl::Status MathParser::TakeBar() {
  const FrameKind kind = Top().kind;
  if (kind == FrameKind::kAbs) return Close("|");
  if (kind == FrameKind::kSetBrace && Top().such_that < 0) {
    COHORT_RETURN_IF_ERROR(EndItem());
    Frame& frame = Top();
    if (items_.size() != frame.items + 1) return NotUnderstood("a bar");
    frame.such_that = items_.back();
    items_.pop_back();
    frame.want = true;
    ++at_;
    return absl::OkStatus();
  }
  return Juxtapose();
}

// In \{x : x > 2\} a bar; else a ratio.
absl::Status MathParser::TakeColon() {
  if (Top().kind == FrameKind::kSetBrace && Top().such_that < 0) {
    return TakeBar();
  }
  const Token& before = tokens_[at_ - 1];
  const Token& after = Next();
  const bool clock = before.kind == TokenKind::kNumber && before.literal &&
                     after.kind == TokenKind::kNumber && after.literal &&
                     after.text.size() == 2 && after.text[0] < '6';
  COHORT_RETURN_IF_ERROR(Binary(Pending::kRatio, kRatioLevel));
  operators_.back().applied = clock;
  return absl::OkStatus();
}

absl::Status MathParser::TakeOperatorCommand(std::string_view name) {
  if (const char relation = RelationNamed(name)) return Relate(relation);
  if (name == "times" || name == "cdot" || name == "ast" || name == "bullet") {
    return Binary(Pending::kMultiply, kMultiplyLevel);
  }
  if (name == "div") return Binary(Pending::kDivide, kMultiplyLevel);
  if (name == "pm") return Binary(Pending::kPlusMinus, kAddLevel);
  if (name == "mp") return Binary(Pending::kMinusPlus, kAddLevel);
  if (name == "bmod" || name == "mod") {
    return Binary(Pending::kModulo, kMultiplyLevel);
  }
  if (name == "pmod") return Binary(Pending::kCongruence, kSetLevel);
  // "x < -1 \cup x > 1" joins relations.
  if (name == "cup" && !Top().relations.empty() &&
      Top().relations.back() != kIn) {
    return Separate('o');
  }
  if (name == "cup" || name == "bigcup") {
    return Binary(Pending::kUnion, kSetLevel);
  }
  if (name == "cap" || name == "bigcap") {
    return Binary(Pending::kIntersection, kSetLevel);
  }
  if (name == "setminus" || name == "backslash" || name == "smallsetminus") {
    return Binary(Pending::kDifference, kSetLevel);
  }
  if (name == "choose") return Binary(Pending::kChoose, kAddLevel);
  if (name == "colon") return TakeColon();
  if (name == "land" || name == "wedge") return Separate('a');
  if (name == "lor" || name == "vee") return Separate('o');
  if (name == "%") return TakeOperatorChar('%');
  if (name == "$") return TakeUnit();
  if (name == "degree") return TakeDegrees(1);
  const bool measure = tokens_[at_ - 1].kind == TokenKind::kNumber;
  if (measure && name == "Omega" && UnitEnds(at_ + 1)) {
    return AddUnit("ohm", true);
  }
  if (measure && name == "mu" && Next().kind == TokenKind::kText) {
    return AddUnit("micro", false);
  }
  return TakeClosingCommand(name);
}

absl::Status MathParser::TakeClosingCommand(std::string_view name) {
  if (name == "mid" || name == "vert" || name == "|" || name == "rvert" ||
      name == "rVert" || name == "Vert") {
    return TakeBar();
  }
  if (name == "}" || name == "rbrace") {
    if (Top().kind != FrameKind::kSetBrace) return NotUnderstood("a brace");
    return Close("}");
  }
  if (name == "rbrack") return TakeOperatorChar(']');
  if (name == "rangle" || name == "rgroup" || name == "rparen") {
    return TakeOperatorChar(')');
  }
  if (name == "rfloor" || name == "lrcorner") {
    if (Top().kind != FrameKind::kFloor) return NotUnderstood("a bracket");
    return Close("]");
  }
  if (name == "rceil" || name == "urcorner") {
    if (Top().kind != FrameKind::kCeil) return NotUnderstood("a bracket");
    return Close("]");
  }
  const bool rows =
      Top().kind >= FrameKind::kMatrix && Top().kind <= FrameKind::kCases;
  if (name == "\\" || name == "cr") {
    if (rows) return Separate('\\');
    ++at_;
    return absl::OkStatus();
  }
  if (name == "]matrix" || name == "]det" || name == "]cases") {
    return rows ? Close("]") : NotUnderstood("an environment");
  }
  if (name == "&") {
    ++at_;
    return absl::OkStatus();
  }
  return Juxtapose();
}

bool MathParser::UnitEnds(size_t at) const {
  const Token& token = tokens_[std::min(at, tokens_.size() - 1)];
  return token.kind == TokenKind::kEnd || token.kind == TokenKind::kText ||
         token.IsChar(',') || token.IsChar(';') || token.IsChar('}') ||
         token.IsChar('.') || token.IsChar('/') || token.IsChar('^') ||
         (token.kind == TokenKind::kWord && JoinerNamed(token.text) != 0);
}

// "10 m", "3500 J": a letter behind a number and a space, with nothing behind.
bool MathParser::TakeLetterUnit() {
  return tokens_[at_ - 1].kind == TokenKind::kNumber && Now().spaced &&
         FindLetterUnit(Now().text) != nullptr && UnitEnds(at_ + 1);
}

// What the words at the front say about the number before them.
absl::Status MathParser::TakeUnit() {
  const std::string_view word = Trimmed(Now().text);
  const std::string lower = absl::AsciiStrToLower(WithoutStops(word));
  if (IsPercentWord(lower)) return TakeOperatorChar('%');
  if (const long factor = MultiplierNamed(lower)) {
    COHORT_RETURN_IF_ERROR(Reduce(0));
    const int number = e_.AddNumber(mpq_class(factor));
    LastOperand() = e_.Add(Op::kMultiply, {LastOperand(), number});
    ++at_;
    return absl::OkStatus();
  }
  if (lower == "degrees" || lower == "degree" || lower == "deg") {
    return TakeDegrees(1);
  }
  if (Now().IsCommand("$")) return AddUnit("dollar", false);
  constexpr std::string_view kAnd = " and";
  if (lower.ends_with(kAnd) && Next().kind == TokenKind::kNumber) {
    return AddUnit(lower.substr(0, lower.size() - kAnd.size()), false);
  }
  return AddUnit(lower, false);
}

// Adds the token now, and powers and divisors of units behind it.
absl::Status MathParser::AddUnit(std::string_view unit, bool guessed) {
  COHORT_RETURN_IF_ERROR(Reduce(0));
  std::string all(unit);
  ++at_;
  while (Now().kind != TokenKind::kEnd) {
    if (Now().IsChar('^') && Next().kind == TokenKind::kNumber) {
      absl::StrAppend(&all, "^", std::string(Next().text));
      at_ += 2;
    } else if (Now().IsChar('^') && Next().IsChar('{') &&
               Next(2).kind == TokenKind::kNumber && Next(3).IsChar('}')) {
      absl::StrAppend(&all, "^", std::string(Next(2).text));
      at_ += 4;
    } else if (Now().IsChar('/') && (Next().kind == TokenKind::kText ||
                                     Next().kind == TokenKind::kWord ||
                                     Next().kind == TokenKind::kLetter)) {
      absl::StrAppend(&all, "/", std::string(Next().text));
      at_ += 2;
    } else if ((Now().kind == TokenKind::kText ||
                Now().kind == TokenKind::kWord) &&
               JoinerNamed(Trimmed(Now().text)) == 0) {
      absl::StrAppend(&all, " ", std::string(Now().text));
      ++at_;
    } else {
      break;
    }
  }
  int& value = LastOperand();
  const uint8_t flags = guessed ? kGuessed : 0;
  if (e_.OpOf(value) == Op::kQuantity) {
    all = absl::StrCat(e_.Name(value), " ", all);
    value = e_.Kid(value, 0);
  }
  if (e_.OpOf(value) == Op::kText) return NotUnderstood("words");
  const std::string plain = PlainUnit(all);
  // "12 units" says no more than "12".
  if (plain.empty()) return absl::OkStatus();
  const int32_t number = value;
  value = e_.AddNamed(Op::kQuantity, plain, {&number, 1}, flags);
  return absl::OkStatus();
}

absl::Status MathParser::TakePower() {
  if (Next().IsCommand("circ") || Next().IsCommand("degree")) {
    return TakeDegrees(2);
  }
  if (Next().IsChar('{') && Next(2).IsCommand("circ") && Next(3).IsChar('}')) {
    return TakeDegrees(4);
  }
  const bool ordinal = Next().IsChar('{') && Next(2).kind == TokenKind::kText &&
                       Next(3).IsChar('}');
  if (ordinal) {  // 5^{\text{th}}
    at_ += 4;
    return absl::OkStatus();
  }
  // z^*, 0^+: a mark, where no number follows.
  const bool braced = Next().IsChar('{');
  const Token& mark = Next(braced ? 2 : 1);
  const Token& behind = Next(braced ? 4 : 2);
  const bool ends = behind.kind == TokenKind::kEnd || behind.IsChar('}') ||
                    behind.IsChar(')') || behind.IsChar(',');
  if ((mark.IsChar('*') || mark.IsChar('+') || mark.IsChar('-')) && ends &&
      (!braced || Next(3).IsChar('}'))) {
    const std::string name = absl::StrCat("^", std::string(mark.text));
    const int32_t marked = LastOperand();
    at_ += braced ? 4 : 2;
    LastOperand() = e_.AddNamed(Op::kCall, name, {&marked, 1});
    return absl::OkStatus();
  }
  if (Next().IsCommand("prime") && e_.OpOf(LastOperand()) == Op::kSymbol) {
    at_ += 2;
    LastOperand() =
        e_.AddNamed(Op::kSymbol, absl::StrCat(e_.Name(LastOperand()), "'"));
    return absl::OkStatus();
  }
  return Binary(Pending::kPower, kPowerLevel);
}

// `tokens` is how many tokens say "degrees"; a scale of temperature may follow.
absl::Status MathParser::TakeDegrees(size_t tokens) {
  COHORT_RETURN_IF_ERROR(Reduce(kPowerLevel));
  at_ += tokens;
  const std::string_view scale = Trimmed(Now().text);
  const bool letter = Now().kind == TokenKind::kLetter ||
                      Now().kind == TokenKind::kText ||
                      Now().kind == TokenKind::kWord;
  if (letter && (scale == "C" || scale == "F" || scale == "Celsius" ||
                 scale == "Fahrenheit")) {
    return AddUnit(scale, false);
  }
  LastOperand() = e_.Add(Op::kDegrees, {LastOperand()});
  return absl::OkStatus();
}

// 204_5
absl::Status MathParser::TakeBase() {
  const Token& digits = tokens_[at_ - 1];
  if (digits.kind != TokenKind::kNumber || !digits.literal) {
    return NotUnderstood("an index");
  }
  ++at_;
  return OpenMacro(Macro::kBase, 1);
}

}  // namespace cohort
