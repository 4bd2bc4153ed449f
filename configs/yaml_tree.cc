#include "configs/yaml_tree.h"

#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "proto/status.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/parser.h"

namespace cohort {
namespace {

// Builds the tree from the parser's events. After the first error it ignores
// the rest.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& name) : name_(name) {}

  absl::StatusOr<YamlNode> Take() {
    COHORT_RETURN_IF_ERROR(status_);
    return std::move(root_);
  }

  std::string Where(const YAML::Mark& mark) const {
    return absl::StrCat(name_, ":", mark.line + 1);
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Refuse(mark, "", anchor);
    Place(MakeNode(mark, YamlNode::Kind::kNull));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fail(Where(mark), "aliases are not read");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor, const std::string& value) override {
    Refuse(mark, tag, anchor);
    YamlNode node = MakeNode(mark, YamlNode::Kind::kScalar);
    node.text = value;
    node.quoted = tag == "!";
    Place(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Refuse(mark, tag, anchor);
    open_.push_back({MakeNode(mark, YamlNode::Kind::kList), false});
  }
  void OnSequenceEnd() override { CloseLast(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag,
                  YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Refuse(mark, tag, anchor);
    open_.push_back({MakeNode(mark, YamlNode::Kind::kMap), false});
  }
  void OnMapEnd() override { CloseLast(); }

 private:
  struct Open {
    YamlNode node;
    bool has_key;  // A map whose last child waits for its value.
  };

  YamlNode MakeNode(const YAML::Mark& mark, YamlNode::Kind kind) const {
    YamlNode node;
    node.kind = kind;
    node.where = Where(mark);
    return node;
  }

  void Fail(const std::string& where, const std::string& what) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(absl::StrCat(where, ": ", what));
    }
  }

  // "?" is the parser's tag of what is plain, "!" of what is quoted.
  void Refuse(const YAML::Mark& mark, const std::string& tag,
              YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) Fail(Where(mark), "anchors are not read");
    if (!tag.empty() && tag != "?" && tag != "!") {
      Fail(Where(mark), absl::StrCat("tags are not read: ", tag));
    }
  }

  void CloseLast() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    Place(std::move(node));
  }

  void Place(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kList) {
      parent.node.children.push_back(std::move(node));
    } else if (!parent.has_key) {
      PlaceKey(node, &parent);
    } else {
      parent.has_key = false;
      node.key = std::move(parent.node.children.back().key);
      // A value's line is where it is found in the file; that of a list or map
      // is its first entry's, so the key's line says more.
      if (node.kind != YamlNode::Kind::kScalar) {
        node.where = std::move(parent.node.children.back().where);
      }
      parent.node.children.back() = std::move(node);
    }
  }

  void PlaceKey(const YamlNode& node, Open* map) {
    if (node.kind != YamlNode::Kind::kScalar) {
      Fail(node.where, "a key must be one word");
    } else if (const YamlNode* const first = map->node.Find(node.text)) {
      Fail(node.where, absl::StrCat("key '", node.text,
                                    "' stands twice, first at ", first->where));
    }
    YamlNode child;
    child.key = node.text;
    child.where = node.where;
    map->node.children.push_back(std::move(child));
    map->has_key = true;
  }

  const std::string name_;
  absl::Status status_;
  YamlNode root_;
  std::vector<Open> open_;  // From the root inwards.
};

void SetWhere(const std::string& where, YamlNode* node) {
  node->where = where;
  for (YamlNode& child : node->children) SetWhere(where, &child);
}

// The child of `parent` at one part of an override's path.
absl::StatusOr<YamlNode*> Step(const std::string& part,
                               const std::string& where,
                               const std::string& parent_path,
                               YamlNode* parent) {
  if (parent->kind == YamlNode::Kind::kNull) {
    parent->kind = YamlNode::Kind::kMap;
  }
  if (parent->kind == YamlNode::Kind::kMap) {
    if (YamlNode* const child = parent->Find(part)) return child;
    YamlNode& child = parent->children.emplace_back();
    child.key = part;
    child.where = where;
    return &child;
  }
  if (parent->kind != YamlNode::Kind::kList) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": ", parent_path, " is a value and has no '", part, "'"));
  }
  size_t index = 0;
  if (!absl::SimpleAtoi(part, &index) || index >= parent->children.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": ", parent_path, " is a list of ", parent->children.size(),
        ", counted from 0, and has no '", part, "'"));
  }
  return &parent->children[index];
}

}  // namespace

const YamlNode* YamlNode::Find(const std::string& wanted) const {
  for (const YamlNode& child : children) {
    if (child.key == wanted) return &child;
  }
  return nullptr;
}

YamlNode* YamlNode::Find(const std::string& wanted) {
  return const_cast<YamlNode*>(std::as_const(*this).Find(wanted));
}

absl::StatusOr<YamlNode> ParseYaml(const std::string& yaml,
                                   const std::string& name) {
  TreeBuilder builder(name);
  try {
    std::istringstream stream(yaml);
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    COHORT_ASSIGN_OR_RETURN(YamlNode root, builder.Take());
    TreeBuilder second(name);
    if (parser.HandleNextDocument(second)) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": more than one YAML document"));
    }
    return root;
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(builder.Where(error.mark), ": not YAML: ", error.msg));
  }
}

absl::StatusOr<Override> ParseOverride(const std::string& text) {
  Override change{
      .where = absl::StrCat("--set ", text), .path = {}, .value = {}};
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(change.where, ": expected key=value"));
  }
  change.path = absl::StrSplit(text.substr(0, equals), '.');
  for (const std::string& part : change.path) {
    if (part.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(change.where, ": a part of the key is empty"));
    }
  }
  const std::string yaml = text.substr(equals + 1);
  absl::StatusOr<YamlNode> value = ParseYaml(yaml, "value");
  if (!value.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(change.where, ": ", value.status().message()));
  }
  change.value = *std::move(value);
  if (yaml.empty()) {
    change.value.kind = YamlNode::Kind::kScalar;
    change.value.quoted = true;
  }
  SetWhere(change.where, &change.value);
  return change;
}

absl::Status ApplyOverride(const Override& change, YamlNode* root) {
  YamlNode* node = root;
  std::vector<std::string> walked;
  for (const std::string& part : change.path) {
    COHORT_ASSIGN_OR_RETURN(
        node, Step(part, change.where, absl::StrJoin(walked, "."), node));
    walked.push_back(part);
  }
  std::string key = std::move(node->key);
  *node = change.value;
  node->key = std::move(key);
  return absl::OkStatus();
}

}  // namespace cohort
