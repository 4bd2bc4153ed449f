// What the limit of one field alone does not show.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "configs/config.h"
#include "configs/yaml_tree.h"

namespace cohort {

// Checks every stage of a config that was read from `root`, for errors that
// name the line. `name` stands for the file.
absl::Status CheckStages(const YamlNode& root, const std::string& name,
                         const Config& config);

}  // namespace cohort
