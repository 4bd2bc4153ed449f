// Config values as text that reads back as the same value.
#pragma once

#include <string>
#include <vector>

#include "configs/config.h"

namespace cohort {

struct FieldText {
  std::string key;
  std::string text;  // One line of YAML.
  friend bool operator==(const FieldText&, const FieldText&) = default;
};

// The fields of one section, in order.
std::vector<FieldText> FieldTexts(const RunConfig& section);
std::vector<FieldText> FieldTexts(const ModelSection& section);
std::vector<FieldText> FieldTexts(const RolloutConfig& section);
std::vector<FieldText> FieldTexts(const RewardsConfig& section);
std::vector<FieldText> FieldTexts(const LearnerConfig& section);
std::vector<FieldText> FieldTexts(const ExportConfig& section);
std::vector<FieldText> FieldTexts(const PromptSetConfig& section);
std::vector<FieldText> FieldTexts(const StageConfig& stage);  // Its own fields.

}  // namespace cohort
