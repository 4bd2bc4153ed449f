#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/checkpoint.h"
#include "model/text_file.h"
#include "model/weight_folder.h"
#include "proto/status.h"

namespace cohort {
namespace {

using nlohmann::json;

bool IsCount(const json& root, const char* field) {
  return root.contains(field) && root[field].is_number_integer() &&
         root[field] > 0;
}

// False only where there are weights to look at.
bool MayHoldMtp(const std::string& folder, int64_t layers) {
  const absl::StatusOr<WeightFolder> weights = WeightFolder::Open(folder);
  if (!weights.ok()) return true;
  const std::string prefix = absl::StrCat("model.layers.", layers, ".");
  const auto it = weights->tensors().lower_bound(prefix);
  return it != weights->tensors().end() && absl::StartsWith(it->first, prefix);
}

}  // namespace

absl::StatusOr<std::string> ReadConfigJson(const std::string& folder) {
  COHORT_ASSIGN_OR_RETURN(std::string text,
                          ReadTextFile(absl::StrCat(folder, "/config.json")));
  json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object() || !IsCount(root, "num_nextn_predict_layers") ||
      !IsCount(root, "num_hidden_layers") ||
      MayHoldMtp(folder, root["num_hidden_layers"].get<int64_t>())) {
    return text;
  }
  root["num_nextn_predict_layers"] = 0;
  return root.dump(2) + "\n";
}

absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& folder) {
  COHORT_ASSIGN_OR_RETURN(const std::string text, ReadConfigJson(folder));
  return ParseModelConfig(text, absl::StrCat(folder, "/config.json"));
}

}  // namespace cohort
