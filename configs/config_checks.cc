#include "configs/config_checks.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "configs/math_policy.h"
#include "configs/weight_schedule.h"
#include "proto/status.h"

namespace cohort {
namespace {

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

// Objectives that contradict themselves.
absl::Status CheckObjective(const LearnerConfig& learner,
                            const StageText& text) {
  const bool clips = learner.objective == "clip";
  if (learner.dual_clip > 0 && !clips) {
    return text.Error("learner.dual_clip",
                      "bounds the ratio of objective: clip; cispo has none");
  }
  if (learner.dual_clip > 0 && learner.dual_clip <= 1 + learner.clip_high) {
    return text.Error(
        "learner.dual_clip",
        absl::StrCat("must be above 1 + clip_high (", 1 + learner.clip_high,
                     "), where the clip itself ends, or 0 for none"));
  }
  if (!clips && learner.ratio_level != "token") {
    return text.Error(
        "learner.ratio_level",
        absl::StrCat(learner.ratio_level,
                     " has no meaning under objective: cispo, which weighs "
                     "each token by its own ratio"));
  }
  if (learner.ratio_level == "product" &&
      learner.aggregation != "sequence_mean") {
    return text.Error("learner.aggregation",
                      "must be sequence_mean under ratio_level: product, which "
                      "has one term a trajectory");
  }
  if (learner.advantage == "reinforce_pp" && learner.refill_groups > 0) {
    return text.Error(
        "learner.refill_groups",
        "must be 0 under advantage: reinforce_pp, to which groups "
        "without spread teach too");
  }
  return absl::OkStatus();
}

absl::Status CheckPenalty(const LearnerConfig& learner, const StageText& text) {
  if (learner.kl_weight == 0 && learner.reference_refresh_steps > 0) {
    return text.Error("learner.reference_refresh_steps",
                      "replaces a reference that kl_weight: 0 does not have");
  }
  return absl::OkStatus();
}

absl::Status CheckRewards(const StageConfig& stage, const StageText& text) {
  const RewardsConfig& rewards = stage.rewards;
  const std::set<std::string> weights = {"accuracy_weight", "format_weight",
                                         "length_weight"};
  for (const auto& [key, steps] : rewards.schedule) {
    const std::string path = absl::StrCat("rewards.schedule.", key);
    if (!weights.contains(key)) {
      return text.Error(path, absl::StrCat("is no weight of a reward: ",
                                           absl::StrJoin(weights, ", ")));
    }
    if (const auto parsed = ParseWeightSteps(steps); !parsed.ok()) {
      return text.Error(path, parsed.status().message());
    }
  }
  const auto counts = [&rewards](const std::string& key, double weight) {
    return weight > 0 || rewards.schedule.contains(key);
  };
  if (!counts("length_weight", rewards.length_weight) ||
      rewards.length != "overlong") {
    return absl::OkStatus();
  }
  const int limit = stage.rollout.max_completion_tokens;
  if (rewards.overlong_tokens > 0 && rewards.overlong_tokens < limit) {
    return absl::OkStatus();
  }
  return text.Error("rewards.overlong_tokens",
                    absl::StrCat("must be above 0 and below "
                                 "max_completion_tokens (",
                                 limit, ") where length has a weight, is ",
                                 rewards.overlong_tokens));
}

absl::Status CheckStage(const StageConfig& stage, const StageText& text) {
  COHORT_RETURN_IF_ERROR(CheckKind(stage, text));
  if (!IsName(stage.name)) {
    return text.Error("name", "must be of letters, digits, _, - and .");
  }
  if (stage.steps < 1) return text.Error("steps", "is missing");
  const LearnerConfig& learner = stage.learner;
  COHORT_RETURN_IF_ERROR(CheckObjective(learner, text));
  COHORT_RETURN_IF_ERROR(CheckPenalty(learner, text));
  COHORT_RETURN_IF_ERROR(CheckRewards(stage, text));
  if (stage.kind != "rl") return absl::OkStatus();
  if (const absl::Status policy =
          ParseMathPolicy(stage.rewards.math_policy).status();
      !policy.ok()) {
    return text.Error("rewards.math_policy",
                      absl::StrCat("is refused: ", policy.message()));
  }
  if (stage.rollout.group_size < 2 && learner.advantage != "reinforce_pp") {
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

}  // namespace

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

absl::Status CheckExportLimits(const ExportConfig& config) {
  if (config.max_completion_tokens > 0 &&
      config.min_completion_tokens > config.max_completion_tokens) {
    return absl::InvalidArgumentError(absl::StrCat(
        "min_completion_tokens ", config.min_completion_tokens,
        " is above max_completion_tokens ", config.max_completion_tokens));
  }
  if (config.min_pass_rate > config.max_pass_rate) {
    return absl::InvalidArgumentError(
        absl::StrCat("min_pass_rate ", config.min_pass_rate,
                     " is above max_pass_rate ", config.max_pass_rate));
  }
  return absl::OkStatus();
}

absl::Status CheckExport(const YamlNode& root, const ExportConfig& config) {
  const YamlNode* const node = root.Find("export");
  if (node == nullptr) return absl::OkStatus();
  const auto wrong = [node](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(node->where, ": export.", what));
  };
  if (!config.file.empty() && !absl::EndsWith(config.file, ".jsonl")) {
    return wrong(absl::StrCat("file must end in .jsonl, is ", config.file,
                              "; `cohort export` makes Parquet"));
  }
  const absl::Status limits = CheckExportLimits(config);
  return limits.ok() ? limits : wrong(limits.message());
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

}  // namespace cohort
