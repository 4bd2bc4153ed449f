#include "model/jinja/parser.h"

#include <algorithm>

#include "model/jinja/cat.h"
#include "model/jinja/text.h"
#include "proto/status.h"

namespace cohort::jinja {
namespace {

// Trees higher, and texts nested deeper, than Python itself compiles.
constexpr int kMaxHeight = 250;
constexpr int kMaxNesting = 120;

bool CanAssign(const Node& node) {
  if (node.type == NodeType::kTuple) {
    return std::all_of(node.items.begin(), node.items.end(),
                       [](const NodePtr& item) { return CanAssign(*item); });
  }
  return node.type == NodeType::kName ||
         node.type == NodeType::kNamespaceAttribute;
}

std::string JoinNames(const std::vector<std::string_view>& names) {
  std::string result;
  for (const std::string_view name : names) {
    CatTo(&result, result.empty() ? "" : "' or '", name);
  }
  return result;
}

void MakeStores(Node* node, NameMode mode) {
  node->mode = mode;
  for (const NodePtr& item : node->items) MakeStores(item.get(), mode);
}

}  // namespace

bool Parser::TakeName(std::string_view name) {
  if (!Now().IsName(name)) return false;
  Take();
  return true;
}

bool Parser::TakeOperator(std::string_view op) {
  if (!Now().IsOperator(op)) return false;
  Take();
  return true;
}

absl::Status Parser::Unexpected(std::string_view wanted) const {
  return SyntaxError(
      Now().line,
      Now().type == TokenType::kEnd
          ? Cat("unexpected end of template, expected '", wanted, "'.")
          : Cat("expected token '", wanted, "', got '", Now().Describe(), "'"));
}

absl::Status Parser::ExpectOperator(std::string_view op) {
  return TakeOperator(op) ? absl::OkStatus() : Unexpected(op);
}

absl::Status Parser::Expect(TokenType type, std::string_view what) {
  if (Now().type != type) return Unexpected(what);
  Take();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Parser::ExpectName() {
  if (Now().type != TokenType::kName) return Unexpected("name");
  return Take().text;
}

NodeResult Parser::Done(NodePtr node) const {
  node->has_slice = node->type == NodeType::kSlice;
  ForEachChild(*node, [&](const Node& child) {
    node->has_slice |= child.has_slice;
    node->height = std::max(node->height, child.height + 1);
  });
  if (node->height > kMaxHeight) {
    return SyntaxError(node->line, "the template nests too deeply");
  }
  return node;
}

absl::Status Parser::Enter() {
  if (++nesting_ <= kMaxNesting) return absl::OkStatus();
  return SyntaxError(Now().line, "the template nests too deeply");
}

NodeResult Parser::ParseTemplate() {
  COHORT_ASSIGN_OR_RETURN(NodePtr body, ParseBody({}));
  return body;
}

// Up to a block that begins with one of `ends`, which is left standing; to the
// template's end if there are none.
NodeResult Parser::ParseBody(const std::vector<std::string_view>& ends) {
  NodePtr body = MakeNode(NodeType::kBody, Now().line);
  NodePtr output;
  const auto flush = [&]() -> absl::Status {
    if (output == nullptr) return absl::OkStatus();
    COHORT_ASSIGN_OR_RETURN(NodePtr done, Done(std::move(output)));
    body->items.push_back(std::move(done));
    return absl::OkStatus();
  };
  while (Now().type != TokenType::kEnd) {
    const Token& token = Take();
    if (token.type == TokenType::kBlockBegin) {
      COHORT_RETURN_IF_ERROR(flush());
      const bool ended =
          std::any_of(ends.begin(), ends.end(),
                      [&](std::string_view end) { return Now().IsName(end); });
      if (ended) return Done(std::move(body));
      COHORT_ASSIGN_OR_RETURN(NodePtr statement, ParseStatement());
      body->items.push_back(std::move(statement));
      COHORT_RETURN_IF_ERROR(
          Expect(TokenType::kBlockEnd, "end of statement block"));
      continue;
    }
    if (output == nullptr) output = MakeNode(NodeType::kOutput, token.line);
    if (token.type == TokenType::kData) {
      output->items.push_back(MakeNode(NodeType::kConstant, token.line));
      output->items.back()->value = Value::String(token.text);
      output->items.back()->flag = true;
      continue;
    }
    COHORT_ASSIGN_OR_RETURN(NodePtr expression, ParseTuple({}));
    output->items.push_back(std::move(expression));
    COHORT_RETURN_IF_ERROR(
        Expect(TokenType::kVariableEnd, "end of print statement"));
  }
  COHORT_RETURN_IF_ERROR(flush());
  if (!ends.empty()) {
    return SyntaxError(
        Now().line, Cat("Unexpected end of template. Jinja was looking for the "
                        "following tags: '",
                        JoinNames(ends), "'."));
  }
  return Done(std::move(body));
}

// The same behind the head of a block.
NodeResult Parser::ParseBlockBody(const std::vector<std::string_view>& ends) {
  TakeOperator(":");
  COHORT_RETURN_IF_ERROR(
      Expect(TokenType::kBlockEnd, "end of statement block"));
  return ParseBody(ends);
}

NodeResult Parser::ParseClosedBody(std::string_view end) {
  COHORT_ASSIGN_OR_RETURN(NodePtr body, ParseBlockBody({end}));
  Take();
  return body;
}

NodeResult Parser::ParseStatement() {
  if (Now().type != TokenType::kName) {
    return SyntaxError(Now().line, "tag name expected");
  }
  COHORT_RETURN_IF_ERROR(Enter());
  const Token token = Take();
  COHORT_ASSIGN_OR_RETURN(NodePtr statement, ParseStatementInside(token));
  statement->line = token.line;
  --nesting_;
  return Done(std::move(statement));
}

NodeResult Parser::ParseStatementInside(const Token& token) {
  const std::string& tag = token.text;
  if (tag == "set") return ParseSet();
  if (tag == "for") return ParseFor();
  if (tag == "if") return ParseIf();
  if (tag == "macro") return ParseMacro();
  if (tag == "call") return ParseCallBlock();
  if (tag == "generation") return ParseGeneration();
  if (tag == "filter") return ParseFilterBlock();
  if (tag == "with") return ParseWith();
  if (tag == "block") return ParseBlock();
  if (tag == "autoescape") return ParseAutoescape();
  if (tag == "print") return ParsePrint();
  if (tag == "break") return ParseJump(NodeType::kBreak);
  if (tag == "continue") return ParseJump(NodeType::kContinue);
  if (tag == "include" || tag == "import" || tag == "from" ||
      tag == "extends") {
    return ParseRefused(tag);
  }
  return SyntaxError(token.line, Cat("Encountered unknown tag '", tag, "'."));
}

NodeResult Parser::ParseSet() {
  COHORT_ASSIGN_OR_RETURN(
      NodePtr target,
      ParseTarget({.simplified = true, .with_namespace = true}));
  NodePtr node = MakeNode(NodeType::kSet, target->line);
  node->first = std::move(target);
  if (TakeOperator("=")) {
    COHORT_ASSIGN_OR_RETURN(node->second, ParseTuple({}));
    return node;
  }
  node->type = NodeType::kSetBlock;
  COHORT_ASSIGN_OR_RETURN(node->second, ParseFilterChain(nullptr, false));
  COHORT_ASSIGN_OR_RETURN(node->body, ParseClosedBody("endset"));
  return node;
}

NodeResult Parser::ParseFor() {
  NodePtr node = MakeNode(NodeType::kFor, Now().line);
  COHORT_ASSIGN_OR_RETURN(node->first,
                          ParseTarget({.simplified = true, .end_name = "in"}));
  if (!TakeName("in")) return Unexpected("in");
  COHORT_ASSIGN_OR_RETURN(node->second, ParseTuple({.with_condition = false,
                                                    .end_name = "recursive"}));
  if (TakeName("if")) {
    COHORT_ASSIGN_OR_RETURN(node->third, ParseExpression());
  }
  node->flag = TakeName("recursive");
  in_loop_.push_back(true);
  COHORT_ASSIGN_OR_RETURN(node->body, ParseBlockBody({"endfor", "else"}));
  in_loop_.pop_back();
  if (Take().IsName("else")) {
    COHORT_ASSIGN_OR_RETURN(node->otherwise, ParseClosedBody("endfor"));
  }
  return node;
}

NodeResult Parser::ParseIf() {
  NodePtr result = MakeNode(NodeType::kIf, Now().line);
  Node* node = result.get();
  while (true) {
    COHORT_ASSIGN_OR_RETURN(node->first, ParseTuple({.with_condition = false}));
    COHORT_ASSIGN_OR_RETURN(node->body,
                            ParseBlockBody({"elif", "else", "endif"}));
    if (node != result.get()) {
      COHORT_ASSIGN_OR_RETURN(result->items.back(),
                              Done(std::move(result->items.back())));
    }
    const Token& token = Take();
    if (token.IsName("elif")) {
      result->items.push_back(MakeNode(NodeType::kIf, token.line));
      node = result->items.back().get();
      continue;
    }
    if (token.IsName("else")) {
      COHORT_ASSIGN_OR_RETURN(result->otherwise, ParseClosedBody("endif"));
    }
    return result;
  }
}

absl::Status Parser::ParseSignature(Node* node) {
  COHORT_RETURN_IF_ERROR(ExpectOperator("("));
  while (!Now().IsOperator(")")) {
    if (!node->items.empty()) COHORT_RETURN_IF_ERROR(ExpectOperator(","));
    COHORT_ASSIGN_OR_RETURN(NodePtr parameter, ParseNameTarget());
    parameter->mode = NameMode::kParameter;
    for (const NodePtr& other : node->items) {
      if (other->text == parameter->text) {
        return SyntaxError(parameter->line,
                           Cat("duplicate argument '", other->text,
                               "' in function definition"));
      }
    }
    node->items.push_back(std::move(parameter));
    if (TakeOperator("=")) {
      COHORT_ASSIGN_OR_RETURN(NodePtr fallback, ParseExpression());
      node->defaults.push_back(std::move(fallback));
    } else if (!node->defaults.empty()) {
      return SyntaxError(Now().line,
                         "non-default argument follows default argument");
    }
  }
  return ExpectOperator(")");
}

NodeResult Parser::ParseMacro() {
  NodePtr node = MakeNode(NodeType::kMacro, Now().line);
  COHORT_ASSIGN_OR_RETURN(const NodePtr name, ParseNameTarget());
  node->text = name->text;
  COHORT_RETURN_IF_ERROR(ParseSignature(node.get()));
  in_loop_.push_back(false);
  COHORT_ASSIGN_OR_RETURN(node->body, ParseClosedBody("endmacro"));
  in_loop_.pop_back();
  return node;
}

NodeResult Parser::ParseCallBlock() {
  NodePtr node = MakeNode(NodeType::kCallBlock, Now().line);
  if (Now().IsOperator("(")) {
    COHORT_RETURN_IF_ERROR(ParseSignature(node.get()));
  }
  COHORT_ASSIGN_OR_RETURN(node->first, ParseExpression());
  if (node->first->type != NodeType::kCall) {
    return SyntaxError(node->line, "expected call");
  }
  in_loop_.push_back(false);
  COHORT_ASSIGN_OR_RETURN(node->body, ParseClosedBody("endcall"));
  in_loop_.pop_back();
  return node;
}

NodeResult Parser::ParseGeneration() {
  NodePtr node = MakeNode(NodeType::kGeneration, Now().line);
  in_loop_.push_back(false);
  COHORT_ASSIGN_OR_RETURN(node->body, ParseClosedBody("endgeneration"));
  in_loop_.pop_back();
  return node;
}

NodeResult Parser::ParseFilterBlock() {
  NodePtr node = MakeNode(NodeType::kFilterBlock, Now().line);
  COHORT_ASSIGN_OR_RETURN(node->second, ParseFilterChain(nullptr, true));
  COHORT_ASSIGN_OR_RETURN(node->body, ParseClosedBody("endfilter"));
  return node;
}

NodeResult Parser::ParseWith() {
  NodePtr node = MakeNode(NodeType::kWith, Now().line);
  while (Now().type != TokenType::kBlockEnd) {
    if (!node->items.empty()) COHORT_RETURN_IF_ERROR(ExpectOperator(","));
    COHORT_ASSIGN_OR_RETURN(NodePtr target, ParseTarget({.simplified = true}));
    MakeStores(target.get(), NameMode::kParameter);
    node->items.push_back(std::move(target));
    COHORT_RETURN_IF_ERROR(ExpectOperator("="));
    COHORT_ASSIGN_OR_RETURN(NodePtr value, ParseExpression());
    node->defaults.push_back(std::move(value));
  }
  COHORT_ASSIGN_OR_RETURN(node->body, ParseClosedBody("endwith"));
  return node;
}

NodeResult Parser::ParseBlock() {
  NodePtr node = MakeNode(NodeType::kBlock, Now().line);
  COHORT_ASSIGN_OR_RETURN(node->text, ExpectName());
  node->flag = TakeName("scoped");
  if (Now().IsName("required")) {
    return SyntaxError(node->line, "required blocks are not supported");
  }
  in_loop_.push_back(false);
  COHORT_ASSIGN_OR_RETURN(node->body, ParseClosedBody("endblock"));
  in_loop_.pop_back();
  TakeName(node->text);
  return node;
}

NodeResult Parser::ParseAutoescape() {
  NodePtr node = MakeNode(NodeType::kAutoescape, Now().line);
  COHORT_ASSIGN_OR_RETURN(node->first, ParseExpression());
  COHORT_ASSIGN_OR_RETURN(node->body, ParseClosedBody("endautoescape"));
  return node;
}

NodeResult Parser::ParsePrint() {
  NodePtr node = MakeNode(NodeType::kOutput, Now().line);
  while (Now().type != TokenType::kBlockEnd) {
    if (!node->items.empty()) COHORT_RETURN_IF_ERROR(ExpectOperator(","));
    COHORT_ASSIGN_OR_RETURN(NodePtr expression, ParseExpression());
    node->items.push_back(std::move(expression));
  }
  return node;
}

// What needs other templates can be written, but not run: a chat template
// stands alone.
NodeResult Parser::ParseRefused(const std::string& tag) {
  NodePtr node = MakeNode(NodeType::kRefused, Now().line);
  node->text =
      Cat("TypeError: no loader for this environment "
          "specified ('",
          tag, "')");
  while (Now().type != TokenType::kBlockEnd && Now().type != TokenType::kEnd) {
    Take();
  }
  return node;
}

NodeResult Parser::ParseJump(NodeType type) {
  if (!in_loop_.back()) {
    return SyntaxError(Now().line, "break or continue outside of a loop");
  }
  return MakeNode(type, Now().line);
}

NodeResult Parser::ParseNameTarget() {
  const int line = Now().line;
  COHORT_ASSIGN_OR_RETURN(std::string name, ExpectName());
  for (const char* constant :
       {"true", "false", "none", "True", "False", "None"}) {
    if (name == constant) {
      return SyntaxError(line, Cat("can't assign to '", name, "'"));
    }
  }
  NodePtr node = MakeNode(NodeType::kName, line);
  node->text = std::move(name);
  node->mode = NameMode::kStore;
  return node;
}

NodeResult Parser::ParseTarget(const TupleRules& rules) {
  COHORT_ASSIGN_OR_RETURN(NodePtr target, ParseTuple(rules));
  if (!CanAssign(*target)) {
    return SyntaxError(target->line, "can't assign to this");
  }
  MakeStores(target.get(), NameMode::kStore);
  return target;
}

NodeResult Parse(std::string_view source) {
  COHORT_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens)).ParseTemplate();
}

}  // namespace cohort::jinja
