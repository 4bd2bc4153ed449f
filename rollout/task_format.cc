#include "rollout/task_format.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "configs/yaml_tree.h"
#include "proto/flags.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Kind = YamlNode::Kind;

absl::Status Flaw(const YamlNode& node, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(node.where, ": ", what));
}

absl::StatusOr<std::string> Text(const YamlNode& node) {
  if (node.kind != Kind::kScalar) {
    return Flaw(node, absl::StrCat(node.key, " is not a text"));
  }
  return node.text;
}

absl::Status TakeFields(const YamlNode& node, TaskFormat* format) {
  if (node.kind != Kind::kMap) return Flaw(node, "fields is not a map");
  for (const YamlNode& child : node.children) {
    COHORT_ASSIGN_OR_RETURN(format->fields[child.key], Text(child));
  }
  return MapFields(format->fields).status();
}

absl::Status TakeStop(const YamlNode& node, TaskFormat* format) {
  if (node.kind != Kind::kList) return Flaw(node, "stop is not a list");
  for (const YamlNode& child : node.children) {
    COHORT_ASSIGN_OR_RETURN(std::string text, Text(child));
    if (text.empty()) return Flaw(child, "stop holds an empty text");
    format->stop.push_back(std::move(text));
  }
  return absl::OkStatus();
}

absl::StatusOr<TaskFormat> ReadFormat(const YamlNode& node) {
  if (node.kind != Kind::kMap) return Flaw(node, "a format is not a map");
  TaskFormat format;
  const std::map<std::string, std::string*> texts = {
      {"name", &format.name},
      {"verifier", &format.verifier},
      {"prompt", &format.prompt}};
  for (const YamlNode& child : node.children) {
    if (const auto text = texts.find(child.key); text != texts.end()) {
      COHORT_ASSIGN_OR_RETURN(*text->second, Text(child));
    } else if (child.key == "fields") {
      COHORT_RETURN_IF_ERROR(TakeFields(child, &format));
    } else if (child.key == "stop") {
      COHORT_RETURN_IF_ERROR(TakeStop(child, &format));
    } else {
      return Flaw(child, absl::StrCat("unknown key '", child.key,
                                      "' in a format; there are fields, name, "
                                      "prompt, stop, verifier"));
    }
  }
  return format;
}

}  // namespace

absl::StatusOr<std::vector<TaskFormat>> ParseTaskFormats(
    const std::string& yaml, const std::string& name) {
  COHORT_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(yaml, name));
  std::vector<TaskFormat> formats;
  if (root.kind != Kind::kList) {
    COHORT_ASSIGN_OR_RETURN(formats.emplace_back(), ReadFormat(root));
    return formats;
  }
  for (const YamlNode& node : root.children) {
    COHORT_ASSIGN_OR_RETURN(formats.emplace_back(), ReadFormat(node));
  }
  return formats;
}

absl::StatusOr<TaskFormat> FindTaskFormat(const std::string& name_or_file) {
  if (absl::EndsWith(name_or_file, ".yaml")) {
    COHORT_ASSIGN_OR_RETURN(const std::string yaml, ReadFile(name_or_file));
    COHORT_ASSIGN_OR_RETURN(std::vector<TaskFormat> formats,
                            ParseTaskFormats(yaml, name_or_file));
    if (formats.size() == 1) return std::move(formats[0]);
    return absl::InvalidArgumentError(absl::StrCat(
        name_or_file, ": holds ", formats.size(), " formats, not one"));
  }
  COHORT_ASSIGN_OR_RETURN(
      std::vector<TaskFormat> formats,
      ParseTaskFormats(std::string(kTaskFormatsYaml), "task_formats.yaml"));
  std::vector<std::string> names;
  for (TaskFormat& format : formats) {
    if (format.name == name_or_file) return std::move(format);
    names.push_back(format.name);
  }
  return absl::NotFoundError(
      absl::StrCat("no task format '", name_or_file, "'; did you mean '",
                   NearestName(name_or_file, names), "'?"));
}

}  // namespace cohort
