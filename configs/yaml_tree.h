// A YAML text as a tree that knows where everything was written.
//
// Plain YAML alone: anchors, aliases, tags and a second document are errors, as
// is a key that stands twice in a map. yaml-cpp, and what it throws, stay
// inside yaml_tree.cc.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cohort {

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  std::string key;   // In a map: its key there.
  std::string text;  // Of a scalar.
  bool quoted = false;
  std::vector<YamlNode> children;  // Of a list or a map, in order.
  std::string where;               // For errors: "<file>:<line>".

  // The child under `key`; null where there is none.
  const YamlNode* Find(const std::string& key) const;
  YamlNode* Find(const std::string& key);
};

// Reads one document; an empty one is null. `name` stands for the file.
//   kInvalidArgument  "<name>:<line>: ..."
absl::StatusOr<YamlNode> ParseYaml(const std::string& yaml,
                                   const std::string& name);

// One "a.b.0.c=VALUE" of a command line.
struct Override {
  std::string where;  // "--set a.b.0.c=VALUE", also of every node of `value`.
  std::vector<std::string> path;
  YamlNode value;  // VALUE read as YAML; nothing at all is an empty text.
};

absl::StatusOr<Override> ParseOverride(const std::string& text);

// Puts the value at its path, in place of what stands there. Makes maps that
// are missing on the way; an element of a list must be there.
absl::Status ApplyOverride(const Override& change, YamlNode* root);

}  // namespace cohort
