// A YAML tree into config structs, strictly: unknown keys, wrong types and
// values outside a field's limit are errors.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "configs/config.h"
#include "configs/yaml_tree.h"

namespace cohort {

// Reads what `root` states over what `config` holds, except run.dir's default
// and names of stages. Every stage starts as the top-level sections.
//   kInvalidArgument  "<file>:<line>: ...", naming the key
absl::Status ReadConfig(const YamlNode& root, Config* config);

// The same for one section; `path` stands before its keys in errors.
absl::Status ReadRollout(const YamlNode& node, const std::string& path,
                         RolloutConfig* rollout);
absl::Status ReadExport(const YamlNode& node, const std::string& path,
                        ExportConfig* config);

}  // namespace cohort
