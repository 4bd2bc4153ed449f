// Hugging Face folders: safetensors in and out. The format is read without
// LibTorch (model/safetensors.h); here its tensors meet the model's.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/model_config.h"
#include "model/transformer.h"

namespace cohort {

// Reads <folder>/config.json.
absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& folder);

// Fills `model` from <folder>/model.safetensors, or the shards that
// model.safetensors.index.json names. Missing, unexpected, doubled and wrongly
// shaped tensors, and weights that are not finite, are one error that lists
// them by name; `model` is then unspecified.
absl::Status LoadWeights(const std::string& folder, Transformer* model);

// Writes config.json, generation_config.json, model.safetensors, and copies the
// tokenizer's files from `source_folder` (may be empty). `config_json` is the
// text of the folder the model came from, carried along with "dtype" set to
// float32. Not atomic: the caller writes into a temporary folder and renames
// it.
absl::Status SaveFolder(const Transformer& model,
                        const std::string& config_json,
                        const std::string& source_folder,
                        const std::string& folder);

}  // namespace cohort
