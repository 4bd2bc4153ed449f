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

// Limits of an export that leave room for something; the error names the keys
// alone.
absl::Status CheckExportLimits(const ExportConfig& config);

// Checks the section `export`, likewise.
absl::Status CheckExport(const YamlNode& root, const ExportConfig& config);

}  // namespace cohort
