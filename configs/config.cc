#include "configs/config.h"

#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "configs/config_checks.h"
#include "configs/config_fields.h"
#include "configs/config_reader.h"
#include "configs/config_text.h"
#include "configs/yaml_tree.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Kind = YamlNode::Kind;

// ---- Overrides.

// Takes what the override of a top-level section sets out of the stages that
// state it themselves, so that the command line has the last word everywhere.
absl::Status ReleaseInStages(const Override& change, YamlNode* root) {
  YamlNode* const stages = root->Find("stages");
  if (stages == nullptr || change.path[0] == "stages") return absl::OkStatus();
  std::set<std::string> keys;
  if (change.path.size() > 1) {
    keys.insert(change.path[1]);
  } else {
    for (const YamlNode& child : change.value.children) keys.insert(child.key);
  }
  for (size_t i = 0; i < stages->children.size(); ++i) {
    YamlNode* const section = stages->children[i].Find(change.path[0]);
    if (section == nullptr) continue;
    for (const std::string& key : keys) {
      if (section->Find(key) == nullptr) continue;
      if (change.path.size() > 2) {
        return absl::InvalidArgumentError(absl::StrCat(
            change.where, ": stages.", i, " states ", change.path[0], ".", key,
            " itself; set stages.", i, ".", absl::StrJoin(change.path, ".")));
      }
      std::erase_if(section->children,
                    [&key](const YamlNode& child) { return child.key == key; });
    }
  }
  return absl::OkStatus();
}

absl::Status ApplyOverrides(const std::vector<std::string>& overrides,
                            YamlNode* root) {
  for (const std::string& text : overrides) {
    COHORT_ASSIGN_OR_RETURN(const Override change, ParseOverride(text));
    COHORT_RETURN_IF_ERROR(ApplyOverride(change, root));
    COHORT_RETURN_IF_ERROR(ReleaseInStages(change, root));
  }
  return absl::OkStatus();
}

// ---- Names.

// "runs/chain" for "configs/chain.yaml".
std::string DefaultRunDir(absl::string_view name) {
  name = name.substr(name.rfind('/') + 1);
  for (const absl::string_view ending : {".yaml", ".yml"}) {
    if (absl::EndsWith(name, ending)) name.remove_suffix(ending.size());
  }
  return absl::StrCat("runs/", name);
}

void NameStages(std::vector<StageConfig>* stages) {
  std::set<std::string> taken;
  for (const StageConfig& stage : *stages) taken.insert(stage.name);
  for (StageConfig& stage : *stages) {
    if (!stage.name.empty()) continue;
    stage.name = stage.kind;
    for (int number = 2; !taken.insert(stage.name).second; ++number) {
      stage.name = absl::StrCat(stage.kind, number);
    }
  }
}

// ---- Printing.

// The fields of `section` as lines, those left out that are the same in `base`.
template <typename Section>
std::string PrintFields(const Section& section, absl::string_view indent,
                        const Section* base = nullptr) {
  const std::vector<FieldText> fields = FieldTexts(section);
  const std::vector<FieldText> same =
      base == nullptr ? std::vector<FieldText>(fields.size())
                      : FieldTexts(*base);
  std::string lines;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i] == same[i]) continue;
    absl::StrAppend(&lines, indent, fields[i].key, ": ", fields[i].text, "\n");
  }
  return lines;
}

std::string PrintStage(const StageConfig& stage, const Config& config) {
  std::string lines = PrintFields(stage, "    ");
  lines.replace(0, 4, "  - ");
  const auto print = [&lines](const char* key, const auto& section,
                              const auto& base) {
    const std::string stated = PrintFields(section, "      ", &base);
    if (!stated.empty()) absl::StrAppend(&lines, "    ", key, ":\n", stated);
  };
  print("rollout", stage.rollout, config.rollout);
  print("rewards", stage.rewards, config.rewards);
  print("learner", stage.learner, config.learner);
  return lines;
}

}  // namespace

absl::StatusOr<Config> ParseConfig(const std::string& yaml,
                                   const std::string& name,
                                   const std::vector<std::string>& overrides) {
  COHORT_ASSIGN_OR_RETURN(YamlNode root, ParseYaml(yaml, name));
  COHORT_RETURN_IF_ERROR(ApplyOverrides(overrides, &root));
  Config config;
  COHORT_RETURN_IF_ERROR(ReadConfig(root, &config));
  NameStages(&config.stages);
  COHORT_RETURN_IF_ERROR(CheckStages(root, name, config));
  COHORT_RETURN_IF_ERROR(CheckExport(root, config.sink));
  if (config.run.dir.empty()) config.run.dir = DefaultRunDir(name);
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path,
                                  const std::vector<std::string>& overrides) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream yaml;
  if (file && file.peek() != std::ifstream::traits_type::eof()) {
    yaml << file.rdbuf();
  }
  if (!file.is_open() || file.bad() || !yaml) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  }
  return ParseConfig(yaml.str(), path, overrides);
}

std::string PrintConfig(const Config& config) {
  std::string text;
  const auto print = [&text](const char* key, const auto& section) {
    absl::StrAppend(&text, key, ":\n", PrintFields(section, "  "), "\n");
  };
  VisitSections(print, config);
  absl::StrAppend(&text, "stages:\n");
  for (const StageConfig& stage : config.stages) {
    absl::StrAppend(&text, PrintStage(stage, config));
  }
  return text;
}

std::string PrintRollout(const RolloutConfig& rollout) {
  return PrintFields(rollout, "");
}

absl::StatusOr<RolloutConfig> ParseRollout(const std::string& yaml) {
  COHORT_ASSIGN_OR_RETURN(const YamlNode root,
                          ParseYaml(yaml, "rollout settings"));
  RolloutConfig rollout;
  COHORT_RETURN_IF_ERROR(ReadRollout(root, "rollout", &rollout));
  return rollout;
}

absl::Status CheckExportValues(const ExportConfig& config) {
  // The limits of the fields are those of the YAML reader.
  COHORT_ASSIGN_OR_RETURN(const YamlNode root,
                          ParseYaml(PrintFields(config, ""), "export"));
  ExportConfig same;
  COHORT_RETURN_IF_ERROR(ReadExport(root, "export", &same));
  return CheckExportLimits(config);
}

std::string ListConfigKeys() {
  std::string lines;
  const auto list = [&lines](absl::string_view path,
                             const std::vector<FieldText>& fields) {
    for (const FieldText& field : fields) {
      absl::StrAppend(&lines, path, ".", field.key, " ", field.text, "\n");
    }
  };
  const auto section = [&list](const char* key, const auto& value) {
    list(key, FieldTexts(value));
  };
  const Config defaults;
  VisitSections(section, defaults);
  list("stages.N", FieldTexts(StageConfig()));
  list("learner.prompts.N", FieldTexts(PromptSetConfig()));
  list("learner.eval_prompts.N", FieldTexts(PromptSetConfig()));
  return lines;
}

}  // namespace cohort
