// Expressions, from the loosest operator to the tightest.
#include <algorithm>

#include "model/jinja/cat.h"
#include "model/jinja/parser.h"
#include "proto/status.h"

namespace cohort::jinja {

NodeResult Parser::ParseTuple(const TupleRules& rules) {
  int line = Now().line;
  std::vector<NodePtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) COHORT_RETURN_IF_ERROR(ExpectOperator(","));
    const bool ends = Now().type == TokenType::kVariableEnd ||
                      Now().type == TokenType::kBlockEnd ||
                      Now().IsOperator(")") ||
                      (!rules.end_name.empty() && Now().IsName(rules.end_name));
    if (ends) break;
    COHORT_ASSIGN_OR_RETURN(
        NodePtr item, rules.simplified ? ParsePrimary(rules.with_namespace)
                                       : ParseExpression(rules.with_condition));
    items.push_back(std::move(item));
    if (!Now().IsOperator(",")) break;
    is_tuple = true;
    line = Now().line;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items[0]);
    if (!rules.in_parentheses) {
      return SyntaxError(Now().line, Cat("Expected an expression, got '",
                                         Now().Describe(), "'"));
    }
  }
  NodePtr node = MakeNode(NodeType::kTuple, line);
  node->items = std::move(items);
  return Done(std::move(node));
}

NodeResult Parser::ParseExpression(bool with_condition) {
  COHORT_RETURN_IF_ERROR(Enter());
  COHORT_ASSIGN_OR_RETURN(NodePtr node,
                          with_condition ? ParseCondition() : ParseOr());
  --nesting_;
  return node;
}

NodeResult Parser::ParseCondition() {
  COHORT_RETURN_IF_ERROR(Enter());
  int line = Now().line;
  COHORT_ASSIGN_OR_RETURN(NodePtr left, ParseOr());
  while (TakeName("if")) {
    NodePtr node = MakeNode(NodeType::kCondition, line);
    COHORT_ASSIGN_OR_RETURN(node->first, ParseOr());
    node->second = std::move(left);
    if (TakeName("else")) {
      COHORT_ASSIGN_OR_RETURN(node->third, ParseCondition());
    }
    COHORT_ASSIGN_OR_RETURN(left, Done(std::move(node)));
    line = Now().line;
  }
  --nesting_;
  return left;
}

NodeResult Parser::ParseOr() {
  COHORT_ASSIGN_OR_RETURN(NodePtr left, ParseAnd());
  while (Now().IsName("or")) {
    NodePtr node = MakeNode(NodeType::kOr, Take().line);
    node->first = std::move(left);
    COHORT_ASSIGN_OR_RETURN(node->second, ParseAnd());
    COHORT_ASSIGN_OR_RETURN(left, Done(std::move(node)));
  }
  return left;
}

NodeResult Parser::ParseAnd() {
  COHORT_ASSIGN_OR_RETURN(NodePtr left, ParseNot());
  while (Now().IsName("and")) {
    NodePtr node = MakeNode(NodeType::kAnd, Take().line);
    node->first = std::move(left);
    COHORT_ASSIGN_OR_RETURN(node->second, ParseNot());
    COHORT_ASSIGN_OR_RETURN(left, Done(std::move(node)));
  }
  return left;
}

NodeResult Parser::ParseNot() {
  if (!Now().IsName("not")) return ParseCompare();
  COHORT_RETURN_IF_ERROR(Enter());
  NodePtr node = MakeNode(NodeType::kNot, Take().line);
  COHORT_ASSIGN_OR_RETURN(node->first, ParseNot());
  --nesting_;
  return Done(std::move(node));
}

NodeResult Parser::ParseCompare() {
  const int line = Now().line;
  COHORT_ASSIGN_OR_RETURN(NodePtr left, ParseSum());
  std::vector<NodePtr> operands;
  while (true) {
    std::string op;
    for (const char* sign : {"==", "!=", "<", "<=", ">", ">="}) {
      if (Now().IsOperator(sign)) op = sign;
    }
    if (Now().IsName("in")) op = "in";
    if (Now().IsName("not") && After().IsName("in")) {
      op = "not in";
      Take();
    }
    if (op.empty()) break;
    NodePtr operand = MakeNode(NodeType::kOperand, Take().line);
    operand->text = op;
    COHORT_ASSIGN_OR_RETURN(operand->first, ParseSum());
    COHORT_ASSIGN_OR_RETURN(operand, Done(std::move(operand)));
    operands.push_back(std::move(operand));
  }
  if (operands.empty()) return left;
  NodePtr node = MakeNode(NodeType::kCompare, line);
  node->first = std::move(left);
  node->items = std::move(operands);
  return Done(std::move(node));
}

// A chain of operators that bind equally tight, from left to right.
NodeResult Parser::ParseChain(const std::vector<std::string_view>& operators,
                              Step next) {
  COHORT_ASSIGN_OR_RETURN(NodePtr left, (this->*next)());
  while (Now().type == TokenType::kOperator &&
         std::find(operators.begin(), operators.end(), Now().text) !=
             operators.end()) {
    NodePtr node = MakeNode(NodeType::kOperator, Now().line);
    node->text = Take().text;
    node->first = std::move(left);
    COHORT_ASSIGN_OR_RETURN(node->second, (this->*next)());
    COHORT_ASSIGN_OR_RETURN(left, Done(std::move(node)));
  }
  return left;
}

NodeResult Parser::ParseSum() {
  return ParseChain({"+", "-"}, &Parser::ParseConcat);
}

NodeResult Parser::ParseConcat() {
  const int line = Now().line;
  COHORT_ASSIGN_OR_RETURN(NodePtr left, ParseProduct());
  if (!Now().IsOperator("~")) return left;
  NodePtr node = MakeNode(NodeType::kConcat, line);
  node->items.push_back(std::move(left));
  while (TakeOperator("~")) {
    COHORT_ASSIGN_OR_RETURN(NodePtr item, ParseProduct());
    node->items.push_back(std::move(item));
  }
  return Done(std::move(node));
}

NodeResult Parser::ParseProduct() {
  return ParseChain({"*", "/", "//", "%"}, &Parser::ParsePower);
}

NodeResult Parser::ParsePower() {
  const auto unary = [this] { return ParseUnary(/*with_filter=*/true); };
  COHORT_ASSIGN_OR_RETURN(NodePtr left, unary());
  while (Now().IsOperator("**")) {
    NodePtr node = MakeNode(NodeType::kOperator, Now().line);
    node->text = Take().text;
    node->first = std::move(left);
    COHORT_ASSIGN_OR_RETURN(node->second, unary());
    COHORT_ASSIGN_OR_RETURN(left, Done(std::move(node)));
  }
  return left;
}

NodeResult Parser::ParseUnary(bool with_filter) {
  COHORT_RETURN_IF_ERROR(Enter());
  NodePtr node;
  if (Now().IsOperator("-") || Now().IsOperator("+")) {
    node = MakeNode(NodeType::kSign, Now().line);
    node->text = Take().text;
    COHORT_ASSIGN_OR_RETURN(node->first, ParseUnary(/*with_filter=*/false));
    COHORT_ASSIGN_OR_RETURN(node, Done(std::move(node)));
  } else {
    COHORT_ASSIGN_OR_RETURN(node, ParsePrimary(/*with_namespace=*/false));
  }
  COHORT_ASSIGN_OR_RETURN(node, ParsePostfix(std::move(node)));
  if (with_filter) {
    COHORT_ASSIGN_OR_RETURN(node, ParseFilters(std::move(node)));
  }
  --nesting_;
  return node;
}

NodeResult Parser::ParsePrimary(bool with_namespace) {
  const Token token = Now();
  NodePtr node = MakeNode(NodeType::kConstant, token.line);
  if (token.type == TokenType::kName) {
    Take();
    const std::string& name = token.text;
    if (name == "true" || name == "True" || name == "false" ||
        name == "False") {
      node->value = Value::Bool(name == "true" || name == "True");
    } else if (name == "none" || name == "None") {
      node->value = Value::None();
    } else {
      node->type = NodeType::kName;
      node->text = name;
      if (with_namespace && TakeOperator(".")) {
        node->type = NodeType::kNamespaceAttribute;
        COHORT_ASSIGN_OR_RETURN(std::string attribute, ExpectName());
        node->value = Value::String(std::move(attribute));
      }
    }
    return node;
  }
  if (token.type == TokenType::kString) {
    std::string text;
    while (Now().type == TokenType::kString) text += Take().value.text();
    node->value = Value::String(std::move(text));
    return node;
  }
  if (token.type == TokenType::kInteger || token.type == TokenType::kFloat) {
    node->value = Take().value;
    return node;
  }
  if (TakeOperator("(")) {
    COHORT_RETURN_IF_ERROR(Enter());
    COHORT_ASSIGN_OR_RETURN(node, ParseTuple({.in_parentheses = true}));
    COHORT_RETURN_IF_ERROR(ExpectOperator(")"));
    --nesting_;
    return node;
  }
  if (token.IsOperator("[")) return ParseList();
  if (token.IsOperator("{")) return ParseDict();
  return SyntaxError(token.line, Cat("unexpected '", token.Describe(), "'"));
}

NodeResult Parser::ParseList() {
  NodePtr node = MakeNode(NodeType::kList, Take().line);
  while (!Now().IsOperator("]")) {
    if (!node->items.empty()) COHORT_RETURN_IF_ERROR(ExpectOperator(","));
    if (Now().IsOperator("]")) break;
    COHORT_ASSIGN_OR_RETURN(NodePtr item, ParseExpression());
    node->items.push_back(std::move(item));
  }
  COHORT_RETURN_IF_ERROR(ExpectOperator("]"));
  return Done(std::move(node));
}

NodeResult Parser::ParseDict() {
  NodePtr node = MakeNode(NodeType::kDict, Take().line);
  while (!Now().IsOperator("}")) {
    if (!node->items.empty()) COHORT_RETURN_IF_ERROR(ExpectOperator(","));
    if (Now().IsOperator("}")) break;
    COHORT_ASSIGN_OR_RETURN(NodePtr key, ParseExpression());
    COHORT_RETURN_IF_ERROR(ExpectOperator(":"));
    COHORT_ASSIGN_OR_RETURN(NodePtr value, ParseExpression());
    node->items.push_back(std::move(key));
    node->items.push_back(std::move(value));
  }
  COHORT_RETURN_IF_ERROR(ExpectOperator("}"));
  return Done(std::move(node));
}

NodeResult Parser::ParsePostfix(NodePtr node) {
  while (true) {
    if (Now().IsOperator(".") || Now().IsOperator("[")) {
      COHORT_ASSIGN_OR_RETURN(node, ParseSubscript(std::move(node)));
    } else if (Now().IsOperator("(")) {
      COHORT_ASSIGN_OR_RETURN(node, ParseCall(std::move(node)));
    } else {
      return node;
    }
  }
}

NodeResult Parser::ParseFilters(NodePtr node) {
  while (true) {
    if (Now().IsOperator("|")) {
      COHORT_ASSIGN_OR_RETURN(node, ParseFilterChain(std::move(node), false));
    } else if (Now().IsName("is")) {
      COHORT_ASSIGN_OR_RETURN(node, ParseTest(std::move(node)));
    } else if (Now().IsOperator("(")) {
      COHORT_ASSIGN_OR_RETURN(node, ParseCall(std::move(node)));
    } else {
      return node;
    }
  }
}

// "|name(...)" as often as it follows; the first without "|" where the chain
// `starts_inside` a block's head. Null if there is none.
NodeResult Parser::ParseFilterChain(NodePtr node, bool starts_inside) {
  while (Now().IsOperator("|") || starts_inside) {
    if (!starts_inside) Take();
    starts_inside = false;
    NodePtr filter = MakeNode(NodeType::kFilter, Now().line);
    COHORT_ASSIGN_OR_RETURN(filter->text, ParseDottedName());
    filter->first = std::move(node);
    if (Now().IsOperator("(")) {
      COHORT_RETURN_IF_ERROR(ParseArguments(filter.get()));
    }
    COHORT_ASSIGN_OR_RETURN(node, Done(std::move(filter)));
  }
  return node;
}

absl::StatusOr<std::string> Parser::ParseDottedName() {
  COHORT_ASSIGN_OR_RETURN(std::string name, ExpectName());
  while (TakeOperator(".")) {
    COHORT_ASSIGN_OR_RETURN(const std::string part, ExpectName());
    CatTo(&name, ".", part);
  }
  return name;
}

NodeResult Parser::ParseTest(NodePtr tested) {
  NodePtr node = MakeNode(NodeType::kTest, Take().line);
  const bool negated = TakeName("not");
  COHORT_ASSIGN_OR_RETURN(node->text, ParseDottedName());
  node->first = std::move(tested);
  const Token& token = Now();
  const bool has_argument =
      token.type == TokenType::kName || token.type == TokenType::kString ||
      token.type == TokenType::kInteger || token.type == TokenType::kFloat ||
      token.IsOperator("[") || token.IsOperator("{");
  if (token.IsOperator("(")) {
    COHORT_RETURN_IF_ERROR(ParseArguments(node.get()));
  } else if (has_argument && !token.IsName("else") && !token.IsName("or") &&
             !token.IsName("and")) {
    if (token.IsName("is")) {
      return SyntaxError(token.line, "You cannot chain multiple tests with is");
    }
    COHORT_ASSIGN_OR_RETURN(NodePtr argument,
                            ParsePrimary(/*with_namespace=*/false));
    COHORT_ASSIGN_OR_RETURN(argument, ParsePostfix(std::move(argument)));
    node->items.push_back(std::move(argument));
  }
  COHORT_ASSIGN_OR_RETURN(node, Done(std::move(node)));
  if (!negated) return node;
  NodePtr no = MakeNode(NodeType::kNot, node->line);
  no->first = std::move(node);
  return Done(std::move(no));
}

NodeResult Parser::ParseSubscript(NodePtr container) {
  const Token token = Take();
  NodePtr node = MakeNode(NodeType::kItem, token.line);
  node->first = std::move(container);
  if (token.text == ".") {
    const Token name = Take();
    if (name.type == TokenType::kName) {
      node->type = NodeType::kAttribute;
      node->text = name.text;
      return Done(std::move(node));
    }
    if (name.type != TokenType::kInteger) {
      return SyntaxError(name.line, "expected name or number");
    }
    node->second = MakeNode(NodeType::kConstant, name.line);
    node->second->value = name.value;
    return Done(std::move(node));
  }
  std::vector<NodePtr> parts;
  while (!Now().IsOperator("]")) {
    if (!parts.empty()) COHORT_RETURN_IF_ERROR(ExpectOperator(","));
    COHORT_ASSIGN_OR_RETURN(NodePtr part, ParseSubscriptPart());
    parts.push_back(std::move(part));
  }
  COHORT_RETURN_IF_ERROR(ExpectOperator("]"));
  if (parts.size() == 1) {
    node->second = std::move(parts[0]);
    return Done(std::move(node));
  }
  for (const NodePtr& part : parts) {
    if (part->type == NodeType::kSlice) {
      return SyntaxError(token.line, "a slice among several subscripts");
    }
  }
  node->second = MakeNode(NodeType::kTuple, token.line);
  node->second->items = std::move(parts);
  COHORT_ASSIGN_OR_RETURN(node->second, Done(std::move(node->second)));
  return Done(std::move(node));
}

NodeResult Parser::ParseSubscriptPart() {
  NodePtr slice = MakeNode(NodeType::kSlice, Now().line);
  if (!Now().IsOperator(":")) {
    COHORT_ASSIGN_OR_RETURN(NodePtr start, ParseExpression());
    if (!Now().IsOperator(":")) return start;
    slice->first = std::move(start);
  }
  Take();
  const auto ends = [this] {
    return Now().IsOperator("]") || Now().IsOperator(",");
  };
  if (!Now().IsOperator(":") && !ends()) {
    COHORT_ASSIGN_OR_RETURN(slice->second, ParseExpression());
  }
  if (TakeOperator(":") && !ends()) {
    COHORT_ASSIGN_OR_RETURN(slice->third, ParseExpression());
  }
  return Done(std::move(slice));
}

NodeResult Parser::ParseCall(NodePtr callee) {
  NodePtr node = MakeNode(NodeType::kCall, Now().line);
  node->first = std::move(callee);
  COHORT_RETURN_IF_ERROR(ParseArguments(node.get()));
  return Done(std::move(node));
}

absl::Status Parser::ParseArguments(Node* node) {
  COHORT_RETURN_IF_ERROR(ExpectOperator("("));
  bool is_first = true;
  while (!Now().IsOperator(")")) {
    if (!is_first) {
      COHORT_RETURN_IF_ERROR(ExpectOperator(","));
      if (Now().IsOperator(")")) break;
    }
    is_first = false;
    COHORT_RETURN_IF_ERROR(ParseArgument(node));
  }
  return ExpectOperator(")");
}

absl::Status Parser::ParseArgument(Node* node) {
  const absl::Status invalid =
      SyntaxError(Now().line, "invalid syntax for function call expression");
  if (TakeOperator("*")) {
    if (node->more_items != nullptr || node->more_keywords != nullptr) {
      return invalid;
    }
    COHORT_ASSIGN_OR_RETURN(node->more_items, ParseExpression());
    return absl::OkStatus();
  }
  if (TakeOperator("**")) {
    if (node->more_keywords != nullptr) return invalid;
    COHORT_ASSIGN_OR_RETURN(node->more_keywords, ParseExpression());
    return absl::OkStatus();
  }
  if (node->more_keywords != nullptr) return invalid;
  if (Now().type == TokenType::kName && After().IsOperator("=")) {
    NodePtr keyword = MakeNode(NodeType::kKeyword, Now().line);
    keyword->text = Take().text;
    Take();
    for (const NodePtr& other : node->keywords) {
      if (other->text == keyword->text) {
        return SyntaxError(keyword->line,
                           Cat("keyword argument repeated: ", keyword->text));
      }
    }
    COHORT_ASSIGN_OR_RETURN(keyword->first, ParseExpression());
    COHORT_ASSIGN_OR_RETURN(keyword, Done(std::move(keyword)));
    node->keywords.push_back(std::move(keyword));
    return absl::OkStatus();
  }
  if (node->more_items != nullptr || !node->keywords.empty()) return invalid;
  COHORT_ASSIGN_OR_RETURN(NodePtr item, ParseExpression());
  node->items.push_back(std::move(item));
  return absl::OkStatus();
}

}  // namespace cohort::jinja
