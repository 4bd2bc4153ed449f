#include "configs/config_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "configs/config_fields.h"

namespace cohort {
namespace {

// Whether every YAML reader takes `text` as it stands for a text.
bool IsPlain(absl::string_view text) {
  if (text.empty()) return false;
  if (!absl::ascii_isalpha(text.front()) && text.front() != '/') return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '.' && c != '/' &&
        c != '-') {
      return false;
    }
  }
  for (const absl::string_view word :
       {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (absl::AsciiStrToLower(text) == word) return false;
  }
  return true;
}

std::string ToText(const std::string& text) {
  if (IsPlain(text)) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", std::string(1, c));
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      std::array<char, 8> escape;
      std::snprintf(escape.data(), escape.size(), "\\x%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(c)));
      quoted += escape.data();
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

std::string ToText(bool value) { return value ? "true" : "false"; }
std::string ToText(int value) { return absl::StrCat(value); }
std::string ToText(int64_t value) { return absl::StrCat(value); }

// The fewest digits that read back as the same number. With a point, since
// YAML 1.1 readers take 1e-06 for a text.
std::string ToText(double value) {
  std::array<char, 32> buffer;
  const std::to_chars_result end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  std::string text(buffer.data(), end.ptr);
  if (text.find('.') == std::string::npos) {
    text.insert(std::min(text.find('e'), text.size()), ".0");
  }
  return text;
}

std::string ToText(absl::Duration value) { return absl::FormatDuration(value); }

std::string ToText(const std::vector<std::string>& values) {
  return absl::StrCat(
      "[",
      absl::StrJoin(values, ", ",
                    [](std::string* out, const std::string& value) {
                      *out += ToText(value);
                    }),
      "]");
}

std::string ToText(const std::map<std::string, std::string>& values) {
  return absl::StrCat("{",
                      absl::StrJoin(values, ", ",
                                    [](std::string* out, const auto& entry) {
                                      absl::StrAppend(out, ToText(entry.first),
                                                      ": ",
                                                      ToText(entry.second));
                                    }),
                      "}");
}

// What differs from the defaults.
std::string ToText(const PromptSetConfig& prompts) {
  const std::vector<FieldText> fields = FieldTexts(prompts);
  const std::vector<FieldText> defaults = FieldTexts(PromptSetConfig());
  std::vector<std::string> stated;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i] == defaults[i]) continue;
    stated.push_back(absl::StrCat(fields[i].key, ": ", fields[i].text));
  }
  return absl::StrCat("{", absl::StrJoin(stated, ", "), "}");
}

std::string ToText(const std::vector<PromptSetConfig>& sets) {
  return absl::StrCat(
      "[",
      absl::StrJoin(sets, ", ",
                    [](std::string* out, const PromptSetConfig& set) {
                      *out += ToText(set);
                    }),
      "]");
}

template <typename Section>
std::vector<FieldText> Texts(const Section& section) {
  std::vector<FieldText> texts;
  const auto visit = [&texts](const char* key, const auto& value,
                              const Limit& = {}) {
    texts.push_back({key, ToText(value)});
  };
  Visit(visit, section);
  return texts;
}

}  // namespace

std::vector<FieldText> FieldTexts(const RunConfig& section) {
  return Texts(section);
}
std::vector<FieldText> FieldTexts(const ModelSection& section) {
  return Texts(section);
}
std::vector<FieldText> FieldTexts(const RolloutConfig& section) {
  return Texts(section);
}
std::vector<FieldText> FieldTexts(const RewardsConfig& section) {
  return Texts(section);
}
std::vector<FieldText> FieldTexts(const LearnerConfig& section) {
  return Texts(section);
}
std::vector<FieldText> FieldTexts(const ExportConfig& section) {
  return Texts(section);
}
std::vector<FieldText> FieldTexts(const PromptSetConfig& section) {
  return Texts(section);
}
std::vector<FieldText> FieldTexts(const StageConfig& stage) {
  return Texts(stage);
}

}  // namespace cohort
