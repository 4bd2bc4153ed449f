// A template's tokens into a tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/jinja/ast.h"
#include "model/jinja/lexer.h"

namespace cohort::jinja {

// kInvalidArgument: "line N: TemplateSyntaxError: ...", also for a tag that
// Jinja does not have and for nesting past a limit.
absl::StatusOr<NodePtr> Parse(std::string_view source);

using NodeResult = absl::StatusOr<NodePtr>;

// Where the parser stands. Statements are in parser.cc, expressions in
// parse_expression.cc.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  NodeResult ParseTemplate();

 private:
  // Expressions up to these names are no part of a tuple.
  struct TupleRules {
    bool simplified = false;     // Only names and literals.
    bool with_condition = true;  // "a if b else c" may stand in it.
    bool in_parentheses = false;
    bool with_namespace = false;     // "ns.name" as a target.
    std::string_view end_name = {};  // Ends it too.
  };

  const Token& Now() const { return tokens_[at_]; }
  const Token& After() const {
    return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_];
  }
  const Token& Take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool TakeName(std::string_view name);
  bool TakeOperator(std::string_view op);
  absl::Status ExpectOperator(std::string_view op);
  absl::Status Expect(TokenType type, std::string_view what);
  absl::StatusOr<std::string> ExpectName();
  absl::Status Unexpected(std::string_view wanted) const;

  // `node`, its height known and within the limit.
  NodeResult Done(NodePtr node) const;
  absl::Status Enter();

  absl::StatusOr<NodePtr> ParseBody(const std::vector<std::string_view>& ends);
  absl::StatusOr<NodePtr> ParseBlockBody(
      const std::vector<std::string_view>& ends);
  NodeResult ParseClosedBody(std::string_view end);
  NodeResult ParseStatement();
  NodeResult ParseStatementInside(const Token& token);
  NodeResult ParseSet();
  NodeResult ParseFor();
  NodeResult ParseIf();
  NodeResult ParseMacro();
  NodeResult ParseCallBlock();
  NodeResult ParseGeneration();
  NodeResult ParseFilterBlock();
  NodeResult ParseWith();
  NodeResult ParseBlock();
  NodeResult ParseAutoescape();
  NodeResult ParsePrint();
  NodeResult ParseRefused(const std::string& tag);
  NodeResult ParseJump(NodeType type);
  absl::Status ParseSignature(Node* node);
  NodeResult ParseTarget(const TupleRules& rules);
  NodeResult ParseNameTarget();

  NodeResult ParseTuple(const TupleRules& rules);
  NodeResult ParseExpression(bool with_condition = true);
  NodeResult ParseCondition();
  NodeResult ParseOr();
  NodeResult ParseAnd();
  NodeResult ParseNot();
  NodeResult ParseCompare();
  NodeResult ParseSum();
  NodeResult ParseConcat();
  NodeResult ParseProduct();
  NodeResult ParsePower();
  NodeResult ParseUnary(bool with_filter);
  NodeResult ParsePrimary(bool with_namespace);
  NodeResult ParseList();
  NodeResult ParseDict();
  NodeResult ParsePostfix(NodePtr node);
  NodeResult ParseFilters(NodePtr node);
  NodeResult ParseFilterChain(NodePtr node, bool starts_inside);
  NodeResult ParseTest(NodePtr node);
  NodeResult ParseSubscript(NodePtr node);
  NodeResult ParseSubscriptPart();
  NodeResult ParseCall(NodePtr node);
  absl::Status ParseArguments(Node* node);
  absl::Status ParseArgument(Node* node);
  absl::StatusOr<std::string> ParseDottedName();
  using Step = NodeResult (Parser::*)();
  NodeResult ParseChain(const std::vector<std::string_view>& operators,
                        Step next);

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  // Bodies of functions and loops around this place, for break and continue.
  std::vector<bool> in_loop_ = {false};
};

}  // namespace cohort::jinja
