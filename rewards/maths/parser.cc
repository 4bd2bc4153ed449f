#include "rewards/maths/parser.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "rewards/maths/parser_state.h"

namespace cohort {

constexpr size_t kMaxDepth = 512;

namespace {

bool IsSetLike(const Expr& e, int node) {
  const Op op = e.OpOf(node);
  return op == Op::kReals || op == Op::kInterval || op == Op::kSet ||
         op == Op::kUnion || op == Op::kDifference ||
         (op == Op::kTuple && e.nodes[node].count == 2);
}

bool IsPointName(const Expr& e, int node) {
  return e.OpOf(node) == Op::kSymbol && e.Name(node).size() == 1 &&
         absl::ascii_isupper(e.Name(node)[0]);
}

}  // namespace

absl::Status NotUnderstood(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("not understood: ", std::string(what.substr(0, 80))));
}

absl::StatusOr<ParsedMath> MathParser::Run() {
  frames_.emplace_back();
  while (Now().kind != TokenKind::kEnd) {
    COHORT_RETURN_IF_ERROR(Step());
    if (frames_.size() > kMaxDepth) return NotUnderstood("nested too deep");
    if (e_.nodes.size() > kMaxNodes) return NotUnderstood("too long");
  }
  COHORT_RETURN_IF_ERROR(Finish());
  const int root = items_.back();
  return ParsedMath{.expr = std::move(e_), .root = root};
}

absl::Status MathParser::Step() {
  if (Top().kind == FrameKind::kMacro) return TakeArgument();
  return Top().want ? TakeOperand() : TakeOperator();
}

absl::Status MathParser::Open(FrameKind kind, char open) {
  Frame frame;
  frame.kind = kind;
  frame.open = open;
  frame.argument = after_function_;
  frame.operands = operands_.size();
  frame.operators = operators_.size();
  frame.items = items_.size();
  frame.related = related_.size();
  after_function_ = false;
  frames_.push_back(std::move(frame));
  return absl::OkStatus();
}

absl::Status MathParser::OpenMacro(Macro macro, size_t wanted) {
  COHORT_RETURN_IF_ERROR(Open(FrameKind::kMacro, '\\'));
  Top().macro = macro;
  Top().wanted = wanted;
  return absl::OkStatus();
}

// The expression since the last separator becomes an item.
absl::Status MathParser::EndItem() {
  COHORT_RETURN_IF_ERROR(Reduce(0));
  Frame& frame = Top();
  if (operands_.size() != frame.operands + 1) return NotUnderstood("a gap");
  int node = operands_.back();
  operands_.pop_back();
  if (!frame.relations.empty()) {
    std::vector<int32_t> sides(related_.begin() + frame.related,
                               related_.end());
    sides.push_back(node);
    node = e_.AddNamed(Op::kChain, frame.relations, sides);
    related_.resize(frame.related);
    frame.relations.clear();
  }
  items_.push_back(node);
  return absl::OkStatus();
}

absl::Status MathParser::Separate(char separator) {
  ++at_;
  COHORT_RETURN_IF_ERROR(EndItem());
  Frame& frame = Top();
  frame.separators += separator;
  frame.want = true;
  if (separator == '&' || separator == '\\') {
    ++frame.in_row;
    if (separator == '\\') {
      if (frame.columns >= 0 && frame.columns != frame.in_row) {
        return NotUnderstood("rows of different lengths");
      }
      frame.columns = frame.in_row;
      frame.in_row = 0;
    }
  }
  return absl::OkStatus();
}

absl::Status MathParser::Relate(char relation) {
  ++at_;
  COHORT_RETURN_IF_ERROR(Reduce(0));
  Frame& frame = Top();
  if (operands_.size() != frame.operands + 1) return NotUnderstood("a gap");
  related_.push_back(operands_.back());
  operands_.pop_back();
  frame.relations += relation;
  frame.want = true;
  return absl::OkStatus();
}

// All items of a frame as one thing.
absl::StatusOr<int> MathParser::Joined(const Frame& frame) {
  const std::vector<int32_t> items(items_.begin() + frame.items, items_.end());
  items_.resize(frame.items);
  if (items.empty()) return NotUnderstood("nothing between brackets");
  if (items.size() == 1) return items[0];
  switch (frame.kind) {
    case FrameKind::kGroup:
      // "{1,3}" shows no brackets; "{a or b}" is a list like any other.
      if (frame.separators.find_first_of("ao") == std::string::npos) {
        return e_.Add(Op::kBraces, items);
      }
      [[fallthrough]];
    case FrameKind::kTop:
      return e_.Add(
          Op::kList, items, 0,
          frame.separators.find('o') == std::string::npos ? 0 : kOrList);
    default:
      return e_.Add(Op::kTuple, items);
  }
}

// Closes the frame on top with what `closer` shows: ) ] } | or the name of a
// command. "\\sin(x) y" is no sine of a product: the argument ends here.
absl::Status MathParser::Close(std::string_view closer) {
  const bool argument = Top().argument;
  after_function_ = false;
  COHORT_RETURN_IF_ERROR(CloseFrame(closer));
  const bool pending = Top().kind != FrameKind::kMacro &&
                       operators_.size() > Top().operators &&
                       operators_.back().kind == Pending::kFunction;
  return argument && pending ? Reduce(kFunctionLevel) : absl::OkStatus();
}

absl::Status MathParser::CloseFrame(std::string_view closer) {
  const Frame frame = Top();
  const bool matrix = frame.kind == FrameKind::kMatrix ||
                      frame.kind == FrameKind::kDet ||
                      frame.kind == FrameKind::kCases;
  // "a \\ \end{..}" and "{a,}": nothing stands behind the last separator.
  const bool trailing = frame.want && items_.size() > frame.items &&
                        frame.relations.empty() &&
                        operators_.size() == frame.operators;
  const bool empty = frame.want && items_.size() == frame.items &&
                     frame.relations.empty() && frame.such_that < 0 &&
                     operators_.size() == frame.operators;
  if (empty) {
    frames_.pop_back();
    ++at_;
    if (frame.kind == FrameKind::kGroup) return Deliver(-1);
    if (frame.kind == FrameKind::kSetBrace) {
      return Deliver(e_.Add(Op::kEmptySet, {}));
    }
    return NotUnderstood("nothing between brackets");
  }
  if (!(trailing && (matrix || frame.separators.back() == ','))) {
    COHORT_RETURN_IF_ERROR(EndItem());
    if (matrix) ++Top().in_row;
  }
  ++at_;
  if (matrix) return CloseMatrix(frames_.back());
  if (frame.kind == FrameKind::kSetBrace) return CloseSet(frame);
  if (frame.kind == FrameKind::kParen) return CloseParen(frame, closer[0]);
  frames_.pop_back();
  COHORT_ASSIGN_OR_RETURN(const int inner, Joined(frame));
  switch (frame.kind) {
    case FrameKind::kAbs: {
      const int value = BuildAbsolute(&e_, inner);
      if (value < 0) return NotUnderstood("a determinant");
      return Deliver(value);
    }
    case FrameKind::kFloor:
      return Deliver(BuildFunction(&e_, Function::kFloor, inner, -1, -1));
    case FrameKind::kCeil:
      return Deliver(BuildFunction(&e_, Function::kCeil, inner, -1, -1));
    default:
      return Deliver(inner);
  }
}

absl::Status MathParser::CloseParen(const Frame& frame, char closer) {
  const size_t count = items_.size() - frame.items;
  const bool round = frame.open == '(' && closer == ')';
  frames_.pop_back();
  if (frame.call >= 0) {
    if (!round) return NotUnderstood("brackets of a call");
    const std::string name = e_.Name(frame.call);
    const std::vector<int32_t> items(items_.begin() + frame.items,
                                     items_.end());
    items_.resize(frame.items);
    operands_.pop_back();  // The name.
    return Deliver(e_.AddNamed(Op::kCall, name, items));
  }
  if (count == 2 && !round) {
    const uint8_t left = frame.open == '[' ? kClosedLeft : 0;
    const uint8_t right = closer == ']' ? kClosedRight : 0;
    const int b = items_.back();
    const int a = items_[items_.size() - 2];
    items_.resize(frame.items);
    return Deliver(
        e_.Add(Op::kInterval, {a, b}, 0, static_cast<uint8_t>(left | right)));
  }
  if (count == 1 && (frame.open == '(') != (closer == ')')) {
    return NotUnderstood("brackets that do not match");
  }
  if (count > 2 && !round && !(frame.open == '[' && closer == ']')) {
    return NotUnderstood("brackets that do not match");
  }
  COHORT_ASSIGN_OR_RETURN(const int inner, Joined(frame));
  return Deliver(inner);
}

absl::Status MathParser::CloseSet(const Frame& frame) {
  frames_.pop_back();
  std::vector<int32_t> items(items_.begin() + frame.items, items_.end());
  items_.resize(frame.items);
  if (frame.such_that >= 0) {
    items.insert(items.begin(), frame.such_that);
    return Deliver(e_.Add(Op::kSetBuilder, items));
  }
  return Deliver(e_.Add(Op::kSet, items));
}

absl::Status MathParser::CloseMatrix(const Frame& frame) {
  const std::vector<int32_t> items(items_.begin() + frame.items, items_.end());
  const int columns = frame.columns >= 0 ? frame.columns : frame.in_row;
  const bool square = frame.in_row == 0 || frame.in_row == columns;
  const FrameKind kind = frame.kind;
  items_.resize(frame.items);
  frames_.pop_back();
  if (kind == FrameKind::kCases) {
    return Deliver(items.size() == 1 ? items[0] : e_.Add(Op::kList, items));
  }
  if (!square || columns < 1 ||
      items.size() % static_cast<size_t>(columns) != 0) {
    return NotUnderstood("rows of different lengths");
  }
  if (items.size() == 1) return Deliver(items[0]);
  const int matrix = e_.Add(Op::kMatrix, items, columns);
  if (kind == FrameKind::kMatrix) return Deliver(matrix);
  const int determinant = BuildDeterminant(&e_, matrix);
  if (determinant < 0) return NotUnderstood("a determinant");
  return Deliver(determinant);
}

// "d x" ends an integral; the d is the token now.
absl::Status MathParser::CloseIntegral() {
  const Frame frame = Top();
  int body = -1;
  if (frame.want) {
    body = e_.AddNumber(1);
  } else {
    COHORT_RETURN_IF_ERROR(EndItem());
    body = items_.back();
    items_.pop_back();
  }
  if (items_.size() != frame.items || !frame.separators.empty()) {
    return NotUnderstood("an integral");
  }
  frames_.pop_back();
  const Token& variable = Next();
  at_ += 2;
  const std::string name = variable.kind == TokenKind::kCommand
                               ? absl::StrCat("\\", std::string(variable.text))
                               : std::string(variable.text);
  const int symbol = e_.AddNamed(Op::kSymbol, name);
  return Deliver(BuildIntegral(&e_, body, symbol, frame.low, frame.high));
}

absl::Status MathParser::Finish() {
  if (frames_.size() != 1 || currency_) return NotUnderstood("an open bracket");
  Frame& frame = Top();
  if (frame.want && items_.empty()) return NotUnderstood("nothing");
  // "1, 2," says as much as "1, 2".
  const bool trailing = frame.want && frame.relations.empty() &&
                        operators_.empty() && frame.separators.back() != 'o';
  if (!trailing) COHORT_RETURN_IF_ERROR(EndItem());
  const Frame copy = frame;
  COHORT_ASSIGN_OR_RETURN(const int root, Joined(copy));
  items_.push_back(root);
  return absl::OkStatus();
}

// A finished operand goes to the macro or the expression that waits for it.
// -1 is an empty group, which is nothing except for a macro.
absl::Status MathParser::Deliver(int node) {
  if (Top().kind == FrameKind::kMacro) {
    Frame& frame = Top();
    operands_.push_back(node);
    if (operands_.size() - frame.operands < frame.wanted) {
      return absl::OkStatus();
    }
    Frame done = std::move(frame);
    frames_.pop_back();
    return FinishMacro(std::move(done));
  }
  return node < 0 ? absl::OkStatus() : PushOperand(node);
}

absl::Status MathParser::PushOperand(int node) {
  Frame& frame = Top();
  if (currency_) {
    currency_ = false;
    node = e_.AddNamed(Op::kQuantity, "dollar", {&node, 1});
  }
  // A whole number in front of a proper fraction: a mixed number.
  if (operators_.size() > frame.operators && !operands_.empty() &&
      operators_.back().kind == Pending::kMultiply &&
      operators_.back().applied == false && e_.OpOf(node) == Op::kDivide &&
      (e_.nodes[node].flags & kFraction) != 0) {
    const int whole = operands_.back();
    const int above = e_.Kid(node, 0);
    const int below = e_.Kid(node, 1);
    const auto literal = [this](int n) {
      return e_.OpOf(n) == Op::kNumber && (e_.nodes[n].flags & kLiteral) != 0;
    };
    if (operators_.back().index == kJuxtaposedNumber && literal(whole) &&
        literal(above) && literal(below) &&
        e_.Number(above) < e_.Number(below)) {
      operators_.pop_back();
      operands_.pop_back();
      node = e_.Add(Op::kAdd, {whole, node});
    }
  }
  operands_.push_back(node);
  frame.want = false;
  return absl::OkStatus();
}

// Applies what waits and binds at least as tight as `precedence`.
absl::Status MathParser::Reduce(int precedence) {
  while (operators_.size() > Top().operators &&
         operators_.back().precedence >= precedence) {
    const Operator op = operators_.back();
    operators_.pop_back();
    COHORT_RETURN_IF_ERROR(Apply(op));
  }
  return absl::OkStatus();
}

absl::Status MathParser::Apply(const Operator& op) {
  const bool prefix = op.kind >= Pending::kNegate;
  const size_t needed = prefix ? 1 : 2;
  if (operands_.size() < Top().operands + needed) {
    return NotUnderstood("an operator without operands");
  }
  const int b = operands_.back();
  operands_.pop_back();
  int a = -1;
  if (!prefix) {
    a = operands_.back();
    operands_.pop_back();
  }
  const int value = Value(op, a, b);
  if (value < 0) return NotUnderstood("an operation on these operands");
  operands_.push_back(value);
  return absl::OkStatus();
}

// `body` behind \frac{d}{dx}; -1 where `factor` is something else.
int MathParser::Derived(int factor, int body) {
  int order = 0;
  const int variable = DerivativeOperator(e_, factor, &order);
  if (variable < 0) return -1;
  const std::string name = e_.Name(variable);
  body = WithoutBraces(e_, body);
  for (int i = 0; i < order && body >= 0; ++i) {
    body = BuildDerivative(&e_, body, name);
  }
  return body;
}

int MathParser::Value(const Operator& op, int a, int b) {
  switch (op.kind) {
    case Pending::kAdd:
      return BuildArithmetic(&e_, Op::kAdd, a, b);
    case Pending::kSubtract:
      if (e_.OpOf(b) == Op::kSet && IsSetLike(e_, a)) {
        return e_.Add(Op::kDifference, {a, b});
      }
      b = BuildArithmetic(&e_, Op::kNegate, b, -1);
      return b < 0 ? -1 : BuildArithmetic(&e_, Op::kAdd, a, b);
    case Pending::kPlusMinus:
      return e_.Add(Op::kPlusMinus, {a, b});
    case Pending::kMinusPlus:
      return e_.Add(Op::kMinusPlus, {a, b});
    case Pending::kMultiply:
      if (const int derivative = Derived(a, b); derivative >= 0) {
        return derivative;
      }
      // A(1,2) is the point, with its name.
      if (op.applied && e_.OpOf(b) == Op::kTuple && IsPointName(e_, a)) {
        return b;
      }
      a = BuildArithmetic(&e_, Op::kMultiply, a, b);
      if (a >= 0 && op.applied) e_.nodes[a].flags |= kApplied;
      return a;
    case Pending::kDivide:
      return BuildArithmetic(&e_, Op::kDivide, a, b);
    case Pending::kModulo:
      return e_.AddFunction(Function::kMod, std::vector<int32_t>{a, b});
    case Pending::kChoose:
      return e_.AddFunction(Function::kBinomial, std::vector<int32_t>{a, b});
    case Pending::kCongruence:
      return e_.AddNamed(Op::kCall, "\\pmod", std::vector<int32_t>{a, b});
    case Pending::kPower:
      return BuildPower(&e_, a, b);
    case Pending::kUnion:
      return e_.Add(Op::kUnion, {a, b});
    case Pending::kIntersection:
      return e_.Add(Op::kIntersection, {a, b});
    case Pending::kDifference:
      return e_.Add(Op::kDifference, {a, b});
    case Pending::kRatio:
      return BuildRatio(&e_, a, b);
    default:
      return PrefixValue(op, b);
  }
}

int MathParser::PrefixValue(const Operator& op, int b) {
  switch (op.kind) {
    case Pending::kNegate:
      return BuildArithmetic(&e_, Op::kNegate, b, -1);
    case Pending::kPlus:
      return b;
    case Pending::kPrefixPlusMinus:
      return e_.Add(Op::kPlusMinus, {e_.AddNumber(0), b});
    case Pending::kPrefixMinusPlus:
      return e_.Add(Op::kMinusPlus, {e_.AddNumber(0), b});
    case Pending::kFunction:
      return BuildFunction(&e_, op.function, b, op.index, op.exponent);
    case Pending::kSum:
      return BuildSum(&e_, false, op.index, op.exponent, b);
    case Pending::kProduct:
      return BuildSum(&e_, true, op.index, op.exponent, b);
    case Pending::kLimit: {
      std::vector<int32_t> kids = {b};
      if (op.index >= 0) kids.push_back(op.index);
      return e_.AddNamed(Op::kCall, "\\lim", kids);
    }
    default:
      return -1;
  }
}

absl::StatusOr<ParsedMath> ParseMath(std::string_view text,
                                     const MathPolicy& policy) {
  COHORT_ASSIGN_OR_RETURN(std::vector<Token> tokens,
                          Lex(text, {.decimal_comma = policy.decimal_comma}));
  return MathParser(text, policy, std::move(tokens)).Run();
}

}  // namespace cohort
