#include "model/jinja/ast.h"

namespace cohort::jinja {

NodePtr MakeNode(NodeType type, int line) {
  auto node = std::make_unique<Node>();
  node->type = type;
  node->line = line;
  return node;
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
