#include "model/jinja/ast.h"

namespace cohort::jinja {

NodePtr MakeNode(NodeType type, int line) {
  auto node = std::make_unique<Node>();
  node->type = type;
  node->line = line;
  return node;
}

bool IsKnownBeforeRender(const Node& expression) {
  if (expression.type == NodeType::kName ||
      expression.type == NodeType::kCall) {
    return false;
  }
  if (expression.type != NodeType::kFilter) return true;
  for (const char* name :
       {"map", "select", "reject", "selectattr", "rejectattr", "random"}) {
    if (expression.text == name) return false;
  }
  return true;
}

NodePtr CopyTarget(const Node& target) {
  NodePtr copy = MakeNode(target.type, target.line);
  copy->text = target.text;
  copy->mode = target.mode;
  for (const NodePtr& item : target.items) {
    copy->items.push_back(CopyTarget(*item));
  }
  return copy;
}

}  // namespace cohort::jinja
