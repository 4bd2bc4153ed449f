#include "configs/config_reader.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "configs/config_fields.h"
#include "configs/config_keys.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Kind = YamlNode::Kind;

absl::Status Wrong(const YamlNode& node, const std::string& path,
                   const std::string& expected) {
  const std::string is = node.kind == Kind::kNull   ? "empty"
                         : node.kind == Kind::kList ? "a list"
                         : node.kind == Kind::kMap  ? "a map"
                         : node.quoted              ? "\"" + node.text + "\""
                                                    : "'" + node.text + "'";
  return absl::InvalidArgumentError(
      absl::StrCat(node.where, ": ", path, " must be ", expected, ", is ", is));
}

std::string Join(const std::string& path, const std::string& key) {
  return path.empty() ? key : absl::StrCat(path, ".", key);
}

std::string Describe(const Limit& limit) {
  std::vector<std::string> parts;
  if (std::isfinite(limit.at_least)) {
    parts.push_back(absl::StrCat("at least ", limit.at_least));
  }
  if (std::isfinite(limit.above)) {
    parts.push_back(absl::StrCat("above ", limit.above));
  }
  if (std::isfinite(limit.at_most)) {
    parts.push_back(absl::StrCat("at most ", limit.at_most));
  }
  if (std::isfinite(limit.below)) {
    parts.push_back(absl::StrCat("below ", limit.below));
  }
  return absl::StrJoin(parts, " and ");
}

bool Within(const Limit& limit, double value) {
  return value >= limit.at_least && value > limit.above &&
         value <= limit.at_most && value < limit.below;
}

// ---- Values. Each takes (node, path, limit, value).

absl::Status Read(const YamlNode& node, const std::string& path,
                  const Limit& limit, std::string* value) {
  if (node.kind != Kind::kScalar) return Wrong(node, path, "a text");
  if (!limit.words.empty() && std::find(limit.words.begin(), limit.words.end(),
                                        node.text) == limit.words.end()) {
    std::vector<std::string> words = limit.words;
    for (std::string& word : words) {
      if (word.empty()) word = "\"\"";
    }
    return Wrong(node, path,
                 absl::StrCat("one of ", absl::StrJoin(words, ", ")));
  }
  *value = node.text;
  return absl::OkStatus();
}

absl::Status Read(const YamlNode& node, const std::string& path, const Limit&,
                  bool* value) {
  if (node.kind != Kind::kScalar || node.quoted ||
      (node.text != "true" && node.text != "false")) {
    return Wrong(node, path, "true or false");
  }
  *value = node.text == "true";
  return absl::OkStatus();
}

template <typename T>
requires std::is_integral_v<T> absl::Status Read(const YamlNode& node,
                                                 const std::string& path,
                                                 const Limit& limit, T* value) {
  int64_t number = 0;
  if (node.kind != Kind::kScalar || node.quoted ||
      !absl::SimpleAtoi(node.text, &number)) {
    return Wrong(node, path, "a whole number");
  }
  if (!Within(limit, static_cast<double>(number))) {
    return Wrong(node, path, Describe(limit));
  }
  if (number > std::numeric_limits<T>::max() ||
      number < std::numeric_limits<T>::min()) {
    return Wrong(node, path,
                 absl::StrCat("at most ", std::numeric_limits<T>::max()));
  }
  *value = static_cast<T>(number);
  return absl::OkStatus();
}

absl::Status Read(const YamlNode& node, const std::string& path,
                  const Limit& limit, double* value) {
  double number = 0;
  if (node.kind != Kind::kScalar || node.quoted ||
      !absl::SimpleAtod(node.text, &number) || !std::isfinite(number)) {
    return Wrong(node, path, "a number");
  }
  if (!Within(limit, number)) return Wrong(node, path, Describe(limit));
  *value = number;
  return absl::OkStatus();
}

absl::Status Read(const YamlNode& node, const std::string& path,
                  const Limit& limit, absl::Duration* value) {
  absl::Duration duration;
  if (node.kind != Kind::kScalar ||
      !absl::ParseDuration(node.text, &duration) ||
      absl::AbsDuration(duration) == absl::InfiniteDuration()) {
    return Wrong(node, path, "a duration such as 30s, 10m or 1h30m");
  }
  if (!Within(limit, absl::ToDoubleSeconds(duration))) {
    return Wrong(node, path, Describe(limit));
  }
  *value = duration;
  return absl::OkStatus();
}

absl::Status Read(const YamlNode& node, const std::string& path,
                  const Limit& limit, std::vector<std::string>* values) {
  if (node.kind != Kind::kList) return Wrong(node, path, "a list of texts");
  values->assign(node.children.size(), "");
  for (size_t i = 0; i < values->size(); ++i) {
    const YamlNode& child = node.children[i];
    const std::string place = absl::StrCat(path, ".", i);
    COHORT_RETURN_IF_ERROR(Read(child, place, limit, &(*values)[i]));
    if ((*values)[i].empty()) return Wrong(child, place, "a text");
  }
  return absl::OkStatus();
}

absl::Status Read(const YamlNode& node, const std::string& path,
                  const Limit& limit,
                  std::map<std::string, std::string>* values) {
  if (node.kind != Kind::kMap) return Wrong(node, path, "a map of texts");
  values->clear();
  for (const YamlNode& child : node.children) {
    COHORT_RETURN_IF_ERROR(
        Read(child, Join(path, child.key), limit, &(*values)[child.key]));
  }
  return absl::OkStatus();
}

absl::Status Read(const YamlNode& node, const std::string& path, const Limit&,
                  std::vector<PromptSetConfig>* sets);

// ---- Sections.

// That `node` is a map, or nothing at all, of known keys.
absl::Status CheckKeys(const YamlNode& node, const std::string& path,
                       const std::vector<std::string>& known) {
  if (node.kind == Kind::kNull) return absl::OkStatus();
  if (node.kind != Kind::kMap) {
    return Wrong(node, path.empty() ? "a config" : path, "a map");
  }
  for (const YamlNode& child : node.children) {
    if (std::find(known.begin(), known.end(), child.key) != known.end()) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        child.where, ": unknown key '", child.key, "' ",
        path.empty() ? "at the top level" : absl::StrCat("in ", path),
        "; nearest is '", NearestKey(child.key, known), "'"));
  }
  return absl::OkStatus();
}

// Reads the fields that Visit lists, after their keys have been checked.
template <typename Section>
absl::Status ReadFields(const YamlNode& node, const std::string& path,
                        Section* section) {
  absl::Status status;
  const auto read = [&](const char* key, auto& value, const Limit& limit = {}) {
    const YamlNode* const child = node.Find(key);
    if (child == nullptr || !status.ok()) return;
    status = Read(*child, Join(path, key), limit, &value);
  };
  Visit(read, *section);
  return status;
}

template <typename Section>
absl::Status ReadSection(const YamlNode& node, const std::string& path,
                         Section* section) {
  COHORT_RETURN_IF_ERROR(CheckKeys(node, path, KeysOf(*section)));
  return ReadFields(node, path, section);
}

absl::Status ReadPromptSet(const YamlNode& node, const std::string& path,
                           PromptSetConfig* set) {
  if (node.kind == Kind::kScalar) {
    set->file = node.text;
  } else {
    COHORT_RETURN_IF_ERROR(ReadSection(node, path, set));
  }
  if (set->file.empty()) return Wrong(node, path, "the name of a file");
  // A prompt's own names, as PromptFields has them.
  const std::vector<std::string> known = {"id",       "prompt", "messages",
                                          "verifier", "answer", "numbers",
                                          "target",   "source", "policy"};
  const YamlNode* const fields = node.Find("fields");
  if (fields == nullptr) return absl::OkStatus();
  return CheckKeys(*fields, Join(path, "fields"), known);
}

absl::Status Read(const YamlNode& node, const std::string& path, const Limit&,
                  std::vector<PromptSetConfig>* sets) {
  if (node.kind == Kind::kNull) return Wrong(node, path, "a file of prompts");
  sets->clear();
  if (node.kind != Kind::kList) {
    return ReadPromptSet(node, path, &sets->emplace_back());
  }
  for (size_t i = 0; i < node.children.size(); ++i) {
    COHORT_RETURN_IF_ERROR(ReadPromptSet(
        node.children[i], absl::StrCat(path, ".", i), &sets->emplace_back()));
  }
  return absl::OkStatus();
}

absl::Status ReadStage(const YamlNode& node, const std::string& path,
                       StageConfig* stage) {
  std::vector<std::string> keys = KeysOf(*stage);
  const auto list = [&keys](const char* key, const auto&) {
    keys.push_back(key);
  };
  VisitStageSections(list, *stage);
  COHORT_RETURN_IF_ERROR(CheckKeys(node, path, keys));
  COHORT_RETURN_IF_ERROR(ReadFields(node, path, stage));

  absl::Status status;
  const auto read = [&](const char* key, auto& section) {
    const YamlNode* const child = node.Find(key);
    if (child == nullptr || !status.ok()) return;
    status = ReadSection(*child, Join(path, key), &section);
  };
  VisitStageSections(read, *stage);
  return status;
}

}  // namespace

absl::Status ReadConfig(const YamlNode& root, Config* config) {
  std::vector<std::string> keys;
  const auto list = [&keys](const char* key, const auto&) {
    keys.push_back(key);
  };
  VisitSections(list, *config);
  keys.push_back("stages");
  COHORT_RETURN_IF_ERROR(CheckKeys(root, "", keys));

  absl::Status status;
  const auto read = [&](const char* key, auto& section) {
    const YamlNode* const child = root.Find(key);
    if (child == nullptr || !status.ok()) return;
    status = ReadSection(*child, key, &section);
  };
  VisitSections(read, *config);
  COHORT_RETURN_IF_ERROR(status);

  const YamlNode* const stages = root.Find("stages");
  if (stages == nullptr) return absl::OkStatus();
  if (stages->kind != Kind::kList) return Wrong(*stages, "stages", "a list");
  for (size_t i = 0; i < stages->children.size(); ++i) {
    StageConfig& stage = config->stages.emplace_back();
    stage.rollout = config->rollout;
    stage.rewards = config->rewards;
    stage.learner = config->learner;
    COHORT_RETURN_IF_ERROR(
        ReadStage(stages->children[i], absl::StrCat("stages.", i), &stage));
  }
  return absl::OkStatus();
}

absl::Status ReadRollout(const YamlNode& node, const std::string& path,
                         RolloutConfig* rollout) {
  return ReadSection(node, path, rollout);
}

absl::Status ReadExport(const YamlNode& node, const std::string& path,
                        ExportConfig* config) {
  return ReadSection(node, path, config);
}

}  // namespace cohort
