#include "rewards/math_options.h"

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "proto/status.h"

namespace cohort {
namespace {

using Json = nlohmann::json;

absl::Status WrongType(const char* key, const char* expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", key, "' is not ", expected));
}

bool HasText(const Json& list, std::string_view text) {
  for (const Json& item : list) {
    if (item.is_string() && item.get<std::string>() == text) return true;
  }
  return false;
}

// Adds what one option chooses.
absl::Status TakeOption(const std::string& key, const Json& value,
                        std::vector<std::string>* choices) {
  if (key == "match_types" && value.is_array()) {
    const bool latex = HasText(value, "latex");
    const bool expr = HasText(value, "expr");
    if (latex && !expr) choices->push_back("latex-only");
    if (expr && !latex) choices->push_back("decimal-comma");
    if (HasText(value, "string") || HasText(value, "NativeLetters")) {
      choices->push_back("choices-only");
    }
  } else if (key == "choices" && value.is_array()) {
    std::string letters;
    for (const Json& choice : value) {
      if (!choice.is_string()) return WrongType("choices", "a list of texts");
      letters += choice.get<std::string>().substr(0, 1);
    }
    choices->push_back(absl::StrCat("choices=", letters));
  } else if (key == "float_rounding" && value.is_number_unsigned() &&
             value.get<uint64_t>() <= 100) {
    choices->push_back(absl::StrCat("rounding=", value.get<int>()));
  } else if (key == "allow_set_relation_comp" && value.is_boolean()) {
    if (!value.get<bool>()) choices->push_back("relations-no-sets");
  } else if (key == "strict" && value.is_boolean()) {
    if (value.get<bool>()) choices->push_back("variable-names-option");
  } else if (key != "language") {
    return absl::InvalidArgumentError(
        absl::StrCat("'opts': no option '", key,
                     "' with such a value; known: allow_set_relation_comp, "
                     "choices, float_rounding, language, match_types, strict"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> WithOptions(const std::string& policy,
                                        const Json& opts) {
  if (!opts.is_object()) return WrongType("opts", "an object");
  std::vector<std::string> choices;
  if (!policy.empty()) choices.push_back(policy);
  for (const auto& [key, value] : opts.items()) {
    COHORT_RETURN_IF_ERROR(TakeOption(key, value, &choices));
  }
  return absl::StrJoin(choices, ",");
}

}  // namespace cohort
