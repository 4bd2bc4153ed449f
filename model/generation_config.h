// generation_config.json of a Hugging Face folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/model_config.h"

namespace cohort {

// The tokens that end a completion: eos_token_id of generation_config.json, as
// transformers takes it, or of config.json where that file or field is absent.
absl::StatusOr<std::vector<int64_t>> LoadEndTokens(const std::string& folder,
                                                   const ModelConfig& config);

}  // namespace cohort
