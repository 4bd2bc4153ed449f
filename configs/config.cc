#include "configs/config.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
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

// ---- What one field alone does not show.

// The text of a config, for errors about it.
class StageText {
 public:
  StageText(const YamlNode& root, size_t index)
      : root_(root),
        stage_(root.Find("stages")->children[index]),
        path_(absl::StrCat("stages.", index)) {}

  // An error about a key of the stage, "steps" or "rollout.group_size", where
  // it was stated last.
  absl::Status Error(const std::string& key, absl::string_view what) const {
    const std::vector<std::string> parts = absl::StrSplit(key, '.');
    if (const YamlNode* const own = FindPath(stage_, parts)) {
      return Make(own->where, absl::StrCat(path_, ".", key), what);
    }
    if (const YamlNode* const shared = FindPath(root_, parts)) {
      return Make(shared->where, key, what);
    }
    return Make(stage_.where, absl::StrCat(path_, ".", key), what);
  }

 private:
  static const YamlNode* FindPath(const YamlNode& from,
                                  const std::vector<std::string>& parts) {
    const YamlNode* node = &from;
    for (const std::string& part : parts) {
      node = node == nullptr ? nullptr : node->Find(part);
    }
    return node;
  }

  static absl::Status Make(const std::string& where, const std::string& key,
                           absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", key, " ", what));
  }

  const YamlNode& root_;
  const YamlNode& stage_;
  const std::string path_;
};

absl::Status CheckKind(const StageConfig& stage, const StageText& text) {
  const std::set<std::string> built = {"sft", "rl"};
  const std::set<std::string> planned = {"sample", "mix", "distill"};
  if (stage.kind.empty()) return text.Error("kind", "is missing: sft or rl");
  if (planned.contains(stage.kind)) {
    return text.Error("kind", absl::StrCat(stage.kind, " is not built yet; ",
                                           "there are sft and rl"));
  }
  if (!built.contains(stage.kind)) {
    return text.Error(
        "kind", absl::StrCat("must be one of sft, rl, is '", stage.kind, "'"));
  }
  return absl::OkStatus();
}

// Names stand in group ids, metrics and file names.
bool IsName(absl::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
           c == '-' || c == '.';
  });
}

absl::Status CheckStage(const StageConfig& stage, const StageText& text) {
  COHORT_RETURN_IF_ERROR(CheckKind(stage, text));
  if (!IsName(stage.name)) {
    return text.Error("name", "must be of letters, digits, _, - and .");
  }
  if (stage.steps < 1) return text.Error("steps", "is missing");
  const LearnerConfig& learner = stage.learner;
  if (learner.dual_clip > 0 && learner.dual_clip <= 1) {
    return text.Error("learner.dual_clip", "must be above 1, or 0 for none");
  }
  if (stage.kind != "rl") return absl::OkStatus();
  if (stage.rollout.group_size < 2) {
    return text.Error("rollout.group_size",
                      "must be at least 2 in an rl stage: an advantage is "
                      "relative to the rest of the group");
  }
  if (stage.rollout.temperature <= 0) {
    return text.Error("rollout.temperature",
                      "must be above 0 in an rl stage: greedy completions of "
                      "one prompt are all the same");
  }
  if (learner.minibatches > learner.prompts_per_step) {
    return text.Error(
        "learner.minibatches",
        absl::StrCat("must be at most prompts_per_step (",
                     learner.prompts_per_step, "), is ", learner.minibatches));
  }
  return absl::OkStatus();
}

absl::Status CheckStages(const YamlNode& root, const std::string& name,
                         const Config& config) {
  if (config.stages.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": stages is missing or empty"));
  }
  std::set<std::string> names;
  for (size_t i = 0; i < config.stages.size(); ++i) {
    const StageText text(root, i);
    COHORT_RETURN_IF_ERROR(CheckStage(config.stages[i], text));
    if (!names.insert(config.stages[i].name).second) {
      return text.Error("name", absl::StrCat("'", config.stages[i].name,
                                             "' is taken by a stage before"));
    }
  }
  return absl::OkStatus();
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

absl::Status CheckTrainable(const Config& config) {
  if (config.model.checkpoint.empty()) {
    return absl::InvalidArgumentError("model.checkpoint is missing");
  }
  for (size_t i = 0; i < config.stages.size(); ++i) {
    const StageConfig& stage = config.stages[i];
    const bool is_rl = stage.kind == "rl";
    if (is_rl ? stage.learner.prompts.empty() : stage.learner.corpus.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "stages.", i, ".learner.", is_rl ? "prompts" : "corpus",
          " is missing, which stage ", stage.name, " learns from"));
    }
  }
  return absl::OkStatus();
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
