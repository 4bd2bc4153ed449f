// Commands with arguments: \frac, \sqrt, \binom, scripts.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "rewards/maths/parser_state.h"
#include "rewards/maths/words.h"

namespace cohort {
namespace {

bool AllDigits(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return true;
}

}  // namespace

absl::Status MathParser::TakeMacroCommand(std::string_view name, bool* taken) {
  *taken = true;
  ++at_;
  if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac") {
    return OpenMacro(Macro::kFraction, 2);
  }
  if (name == "sqrt") {
    if (!Now().IsChar('[')) return OpenMacro(Macro::kRoot, 1);
    ++at_;
    COHORT_RETURN_IF_ERROR(OpenMacro(Macro::kRootWithDegree, 2));
    return Open(FrameKind::kParen, '[');
  }
  if (name == "cbrt") {
    COHORT_RETURN_IF_ERROR(OpenMacro(Macro::kRootWithDegree, 2));
    return Deliver(e_.AddNumber(3));
  }
  if (name == "binom" || name == "dbinom" || name == "tbinom") {
    return OpenMacro(Macro::kBinomial, 2);
  }
  if (name == "overline" || name == "bar") {
    return OpenMacro(Macro::kOverline, 1);
  }
  if (name == "vec" || name == "hat" || name == "overrightarrow" ||
      name == "widehat" || name == "boxed" || name == "fbox" ||
      name == "mathcal" || name == "mathscr" || name == "overleftrightarrow" ||
      name == "mathfrak" || name == "tilde" || name == "widetilde" ||
      name == "framebox" || name == "underbrace") {
    return OpenMacro(Macro::kIdentity, 1);
  }
  if (name == "mathbb" || name == "Bbb") {
    return OpenMacro(Macro::kBlackboard, 1);
  }
  if (name == "exp") return PushFunction(Function::kExp);
  --at_;
  *taken = false;
  return absl::OkStatus();
}

// TeX takes one digit where no braces stand: \frac12.
absl::Status MathParser::TakeArgumentDigit() {
  Token& token = tokens_[at_];
  const Macro macro = Top().macro;
  const bool whole = macro != Macro::kFraction && macro != Macro::kBinomial;
  if (whole || !token.literal || token.text.size() < 2 ||
      !AllDigits(token.text)) {
    ++at_;
    return PushNumber(token);
  }
  const int digit = e_.AddNumber(mpq_class(token.text[0] - '0'), kLiteral);
  token.text.remove_prefix(1);
  token.number = mpq_class(mpz_class(std::string(token.text), 10));
  token.spaced = false;
  return Deliver(digit);
}

absl::Status MathParser::TakeArgument() {
  const Token& token = Now();
  switch (token.kind) {
    case TokenKind::kNumber:
      return TakeArgumentDigit();
    case TokenKind::kLetter:
      return TakeLetter();
    case TokenKind::kWord:
      if (token.text == "pi" || token.text == "sqrt") return TakeWord();
      return NotUnderstood(token.text);
    case TokenKind::kText:
      return TakeTextOperand();
    case TokenKind::kChar:
      if (token.IsChar('{') || token.IsChar('(')) {
        ++at_;
        return Open(token.IsChar('{') ? FrameKind::kGroup : FrameKind::kParen,
                    token.text[0]);
      }
      if (token.IsChar('-') && Next().kind == TokenKind::kNumber) {
        at_ += 2;
        return Deliver(e_.AddNumber(-tokens_[at_ - 1].number));
      }
      return NotUnderstood("an argument");
    case TokenKind::kCommand: {
      bool taken = false;
      COHORT_RETURN_IF_ERROR(TakeMacroCommand(token.text, &taken));
      if (taken) return absl::OkStatus();
      const bool constant = token.text == "pi" || token.text == "infty" ||
                            IsSymbolCommand(token.text);
      if (!constant) return NotUnderstood("an argument");
      return TakeOperandCommand(token.text);
    }
    case TokenKind::kEnd:
      break;
  }
  return NotUnderstood("a missing argument");
}

absl::Status MathParser::FinishMacro(Frame frame) {
  std::vector<int32_t> kids(operands_.begin() + frame.operands,
                            operands_.end());
  operands_.resize(frame.operands);
  const bool script =
      frame.macro == Macro::kIndex || frame.macro == Macro::kExponent;
  for (const int32_t kid : kids) {
    if (kid < 0 && !script) return NotUnderstood("an empty argument");
  }
  switch (frame.macro) {
    case Macro::kFraction: {
      const int value = BuildArithmetic(&e_, Op::kDivide, kids[0], kids[1]);
      if (value < 0) return NotUnderstood("a fraction of these");
      if (e_.OpOf(value) == Op::kDivide) e_.nodes[value].flags |= kFraction;
      return Deliver(value);
    }
    case Macro::kRoot:
      return Deliver(
          e_.Add(Op::kRoot, {WithoutBraces(e_, kids[0]), e_.AddNumber(2)}));
    case Macro::kRootWithDegree:
      return Deliver(e_.Add(Op::kRoot, {WithoutBraces(e_, kids[1]), kids[0]}));
    case Macro::kBinomial:
      return Deliver(e_.AddFunction(Function::kBinomial, kids));
    case Macro::kBlackboard:
      if (e_.IsSymbol(kids[0], "R")) return PushConstant(Op::kReals);
      return Deliver(e_.AddNamed(
          Op::kSymbol, absl::StrCat("\\mathbb_", e_.OpOf(kids[0]) == Op::kSymbol
                                                     ? e_.Name(kids[0])
                                                     : std::string("?"))));
    case Macro::kOverline: {
      // Over a complex number the conjugate; over letters a segment.
      const std::vector<bool> reached = e_.Reached(kids[0]);
      for (int i = 0; i <= kids[0]; ++i) {
        if (reached[i] && e_.OpOf(i) == Op::kI) {
          return Deliver(e_.AddFunction(Function::kConjugate, kids));
        }
      }
      return Deliver(kids[0]);
    }
    case Macro::kIndex:
      operators_.back().index = kids[0];
      return ScriptsOfOperator();
    case Macro::kExponent:
      operators_.back().exponent = kids[0];
      return ScriptsOfOperator();
    case Macro::kBase: {
      const int value = operands_.back();
      if (e_.OpOf(value) != Op::kNumber) return NotUnderstood("an index");
      const std::string digits = e_.Number(value).get_str();
      operands_.back() = e_.AddNamed(Op::kBased, digits, kids);
      return absl::OkStatus();
    }
    default:
      return Deliver(kids[0]);
  }
}

}  // namespace cohort
