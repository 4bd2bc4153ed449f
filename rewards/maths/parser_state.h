// The state of one parse; used by the parser's own .cc files only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "rewards/maths/build.h"
#include "rewards/maths/lexer.h"
#include "rewards/maths/parser.h"

namespace cohort {

// What waits on the operator stack for its right operand.
enum class Pending : uint8_t {
  kAdd,
  kSubtract,
  kPlusMinus,
  kMinusPlus,
  kMultiply,
  kDivide,
  kModulo,
  kPower,
  kUnion,
  kIntersection,
  kDifference,
  kRatio,
  kChoose,
  kCongruence,
  kNegate,
  kPlus,
  kPrefixPlusMinus,
  kPrefixMinusPlus,  // prefix
  kFunction,
  kSum,
  kProduct,
  kLimit,  // prefix, with scripts
};

struct Operator {
  Pending kind;
  int precedence;
  bool applied = false;  // kMultiply: juxtaposed with a parenthesis, f(x).
  Function function = Function::kSin;
  int index = -1;  // Nodes: what stands below and above the name.
  int exponent = -1;
};

// Operator::index of a product whose left side is a number right in front of a
// fraction: perhaps a mixed number.
inline constexpr int kJuxtaposedNumber = -2;

// Precedences; a higher one binds tighter.
inline constexpr int kSetLevel = 10;
inline constexpr int kRatioLevel = 20;
inline constexpr int kAddLevel = 30;
inline constexpr int kSumLevel = 35;
inline constexpr int kMultiplyLevel = 40;
inline constexpr int kSignLevel = 38;    // -2ab is -(2ab).
inline constexpr int kPrefixLevel = 50;  // The sign in a * -b.
inline constexpr int kFunctionLevel = 60;
inline constexpr int kArgumentLevel = 70;  // Juxtaposition inside an argument.
inline constexpr int kPowerLevel = 80;
inline constexpr int kTightLevel = 90;  // The sign in 2^-1.

enum class FrameKind : uint8_t {
  kTop,
  kGroup,
  kParen,
  kSetBrace,
  kAbs,
  kFloor,
  kCeil,
  kMatrix,
  kDet,
  kCases,
  kIntegral,
  kMacro,  // Waits for arguments, not for operands.
};

enum class Macro : uint8_t {
  kNone,
  kFraction,
  kRoot,
  kRootWithDegree,
  kBinomial,
  kIdentity,
  kOverline,
  kBlackboard,
  kIndex,
  kExponent,
  kBase,
  kSubscript,
};

struct Frame {
  FrameKind kind = FrameKind::kTop;
  char open = '(';
  bool want = true;       // An operand comes next.
  bool argument = false;  // Opened right behind the name of a function.
  int call = -1;          // The operand in front that the parentheses apply.
  int such_that = -1;     // kSetBrace: the element before the bar.
  Macro macro = Macro::kNone;
  size_t wanted = 0;  // kMacro: arguments.
  int low = -1;       // kIntegral: bounds.
  int high = -1;
  int columns = -1;  // kMatrix: of the first row.
  int in_row = 0;
  // Where the frame's own part of the stacks begins.
  size_t operands = 0;
  size_t operators = 0;
  size_t items = 0;
  size_t related = 0;
  std::string relations;   // Of the chain under way.
  std::string separators;  // Between items.
};

class MathParser {
 public:
  MathParser(std::string_view text, const MathPolicy& policy,
             std::vector<Token> tokens)
      : text_(text), policy_(policy), tokens_(std::move(tokens)) {}

  absl::StatusOr<ParsedMath> Run();

 private:
  // parser.cc: the loop and the frames.
  absl::Status Step();
  absl::Status Open(FrameKind kind, char open);
  absl::Status OpenMacro(Macro macro, size_t wanted);
  absl::Status EndItem();
  absl::Status Separate(char separator);
  absl::Status Relate(char relation);
  absl::Status Close(std::string_view closer);
  absl::Status CloseFrame(std::string_view closer);
  absl::Status CloseParen(const Frame& frame, char closer);
  absl::Status CloseSet(const Frame& frame);
  absl::Status CloseMatrix(const Frame& frame);
  absl::Status CloseIntegral();
  absl::Status Finish();
  absl::StatusOr<int> Joined(const Frame& frame);
  absl::Status PushOperand(int node);
  absl::Status Deliver(int node);
  absl::Status Reduce(int precedence);
  absl::Status Apply(const Operator& op);
  int Value(const Operator& op, int a, int b);
  int Derived(int factor, int body);
  int PrefixValue(const Operator& op, int b);

  // parser_operators.cc: tokens behind an operand.
  absl::Status TakeOperator();
  absl::Status TakeOperatorChar(char c);
  absl::Status TakeOperatorCommand(std::string_view name);
  absl::Status TakeClosingCommand(std::string_view name);
  absl::Status TakeBar();
  absl::Status TakeColon();
  absl::Status TakeFullStop();
  absl::Status TakeUnit();
  absl::Status AddUnit(std::string_view unit, bool guessed);
  bool UnitEnds(size_t at) const;
  bool TakeLetterUnit();
  absl::Status TakePower();
  absl::Status TakeDegrees(size_t tokens);
  absl::Status TakeBase();
  absl::Status Binary(Pending kind, int precedence);
  absl::Status Juxtapose();
  bool FunctionPending() const;

  // parser_operands.cc: tokens where an operand is due.
  absl::Status TakeOperand();
  absl::Status TakeLetter();
  absl::Status TakeWord();
  absl::Status TakeTextOperand();
  absl::Status TakeOperandChar(char c);
  absl::Status TakeOperandCommand(std::string_view name);
  absl::Status TakeDelimiterCommand(std::string_view name, bool* taken);
  absl::Status PushSymbol(std::string name);
  absl::Status PushConstant(Op op);
  absl::Status PushNumber(const Token& token);
  absl::Status PushPrefix(Pending kind);
  absl::Status PushFunction(Function function);
  absl::Status PushScripted(Pending kind);
  absl::Status ScriptsOfOperator();
  std::string RawScript();

  // parser_macros.cc: commands with arguments.
  absl::Status TakeMacroCommand(std::string_view name, bool* taken);
  absl::Status TakeArgument();
  absl::Status TakeArgumentDigit();
  absl::Status FinishMacro(Frame frame);

  const Token& Now() const { return tokens_[at_]; }
  const Token& Next(size_t ahead = 1) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Frame& Top() { return frames_.back(); }
  const Frame& Top() const { return frames_.back(); }
  int& LastOperand() { return operands_.back(); }

  const std::string_view text_;
  const MathPolicy& policy_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  Expr e_;
  std::vector<int32_t> operands_;
  std::vector<Operator> operators_;
  std::vector<int32_t> items_;
  std::vector<int32_t> related_;  // Left sides of the chains under way.
  std::vector<Frame> frames_;
  bool currency_ = false;        // A currency sign waits for its number.
  bool after_function_ = false;  // The name of a function was the last token.
};

absl::Status NotUnderstood(std::string_view what);

}  // namespace cohort
