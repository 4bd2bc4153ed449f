#include "rewards/prompt_row.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace cohort {
namespace {

using Json = nlohmann::json;

// Null where there is no such field.
Json Field(const Prompt& prompt, const std::string& key) {
  const Json row = Json::parse(prompt.row_json(), nullptr,
                               /*allow_exceptions=*/false);
  if (!row.is_object()) return nullptr;
  const auto found = row.find(key);
  return found == row.end() ? Json() : *found;
}

}  // namespace

absl::StatusOr<std::optional<std::string>> TextField(const Prompt& prompt,
                                                     const std::string& key) {
  const Json field = Field(prompt, key);
  if (field.is_null()) return std::nullopt;
  if (!field.is_string()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", key, "' is not a text"));
  }
  return field.get<std::string>();
}

absl::StatusOr<std::optional<double>> NumberField(const Prompt& prompt,
                                                  const std::string& key) {
  const Json field = Field(prompt, key);
  if (field.is_null()) return std::nullopt;
  if (!field.is_number() || !std::isfinite(field.get<double>())) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", key, "' is not a number"));
  }
  return field.get<double>();
}

}  // namespace cohort
