#include "rewards/language_table.h"

#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "configs/yaml_tree.h"
#include "proto/check.h"
#include "proto/status.h"
#include "sandbox/embedded.h"
#include "sandbox/run_spec.h"

namespace cohort {
namespace {

absl::Status Flaw(const YamlNode& node, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(node.where, ": ", what));
}

absl::Status TakeText(const YamlNode& node, std::string* text) {
  if (node.kind != YamlNode::Kind::kScalar) {
    return Flaw(node, absl::StrCat(node.key, " is not a text"));
  }
  *text = node.text;
  return absl::OkStatus();
}

absl::Status TakeTexts(const YamlNode& node, std::vector<std::string>* texts) {
  if (node.kind != YamlNode::Kind::kList) {
    return Flaw(node, absl::StrCat(node.key, " is not a list"));
  }
  for (const YamlNode& child : node.children) {
    COHORT_RETURN_IF_ERROR(TakeText(child, &texts->emplace_back()));
  }
  return absl::OkStatus();
}

absl::Status TakeCount(const YamlNode& node, int* count) {
  if (!absl::SimpleAtoi(node.text, count) || *count < 0) {
    return Flaw(node, absl::StrCat(node.key, " is not a count"));
  }
  return absl::OkStatus();
}

// "256MiB".
absl::Status TakeSize(const YamlNode& node, int64_t* bytes) {
  const size_t unit = node.text.find("MiB");
  if (unit == std::string::npos || unit + 3 != node.text.size() ||
      !absl::SimpleAtoi(node.text.substr(0, unit), bytes) || *bytes < 0) {
    return Flaw(node, absl::StrCat(node.key, " is not a size in MiB"));
  }
  *bytes <<= 20;
  return absl::OkStatus();
}

absl::Status TakeEntry(const YamlNode& node, Language* language) {
  const std::map<std::string, std::string*> texts = {
      {"name", &language->name},
      {"source", &language->source},
      {"compile", &language->compile},
      {"artifact", &language->artifact},
      {"zygote", &language->zygote},
      {"header", &language->header},
      {"compile_header", &language->compile_header}};
  const std::map<std::string, std::vector<std::string>*> lists = {
      {"aliases", &language->aliases},   {"run", &language->run},
      {"needs", &language->needs},       {"mounts", &language->mounts},
      {"syscalls", &language->syscalls}, {"env", &language->env}};
  for (const YamlNode& child : node.children) {
    if (const auto text = texts.find(child.key); text != texts.end()) {
      COHORT_RETURN_IF_ERROR(TakeText(child, text->second));
    } else if (const auto list = lists.find(child.key); list != lists.end()) {
      COHORT_RETURN_IF_ERROR(TakeTexts(child, list->second));
    } else if (child.key == "extra_processes") {
      COHORT_RETURN_IF_ERROR(TakeCount(child, &language->extra_processes));
    } else if (child.key == "extra_memory") {
      COHORT_RETURN_IF_ERROR(TakeSize(child, &language->extra_memory_bytes));
    } else {
      return Flaw(child,
                  absl::StrCat("unknown key '", child.key, "' in a language"));
    }
  }
  if (language->name.empty()) return Flaw(node, "a language without a name");
  if (!IsPlainFileName(language->source)) {
    return Flaw(node, absl::StrCat("language ", language->name,
                                   ": source is no plain file name"));
  }
  if (language->compile.empty() != language->artifact.empty()) {
    return Flaw(node, absl::StrCat("language ", language->name,
                                   ": compile and artifact go together"));
  }
  if (language->compile.empty() && language->run.empty()) {
    return Flaw(node, absl::StrCat("language ", language->name,
                                   ": neither compiled nor run"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LanguageTable> ParseLanguageTable(const std::string& yaml,
                                                 const std::string& name) {
  COHORT_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(yaml, name));
  LanguageTable table;
  for (const YamlNode& section : root.children) {
    if (section.key == "mounts") {
      COHORT_RETURN_IF_ERROR(TakeTexts(section, &table.mounts));
    } else if (section.key == "env") {
      COHORT_RETURN_IF_ERROR(TakeTexts(section, &table.env));
    } else if (section.key == "languages") {
      for (const YamlNode& entry : section.children) {
        Language language;
        COHORT_RETURN_IF_ERROR(TakeEntry(entry, &language));
        if (table.Find(language.name) != nullptr) {
          return Flaw(
              entry, absl::StrCat("language ", language.name, " stands twice"));
        }
        table.languages.push_back(std::move(language));
      }
    } else {
      return Flaw(section, absl::StrCat("unknown key '", section.key, "'"));
    }
  }
  return table;
}

LanguageTable BuiltInLanguages() {
  const absl::StatusOr<LanguageTable> table =
      ParseLanguageTable(std::string(kLanguagesYaml), "languages.yaml");
  COHORT_CHECK(table.ok());
  return *table;
}

}  // namespace cohort
