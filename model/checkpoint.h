// Hugging Face folders: safetensors in and out. The format is read without
// LibTorch (model/weight_folder.h, model/stored_values.h); here its tensors
// meet the model's.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/model_config.h"
#include "model/transformer.h"

namespace cohort {

// The text of <folder>/config.json. Where it speaks of a multi-token prediction
// head and the folder's weights hold none, which is what transformers saves,
// num_nextn_predict_layers is 0 in it.
absl::StatusOr<std::string> ReadConfigJson(const std::string& folder);

// Parses that.
absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& folder);

struct LoadOptions {
  // Weights that are NaN or infinite are counted in a warning, not refused.
  bool allow_nonfinite = false;
};

// Fills `model` from <folder>/model.safetensors, or the shards that
// model.safetensors.index.json names: each value straight to the dtype of the
// model, FP8 blocks with their scales. Missing, unexpected, doubled and wrongly
// shaped tensors, then weights that are not finite, are one error that lists
// them by name; `model` is then unspecified. Peak memory is the model's and a
// few MiB.
absl::Status LoadWeights(const std::string& folder, Transformer* model,
                         const LoadOptions& options = {});

struct SaveOptions {
  // Of the stored weights, float32 or bfloat16. The router's correction bias is
  // float32 always, as transformers stores it.
  std::string dtype = "float32";
  // Weights of more bytes are split into shards of at most this size, with an
  // index; a larger tensor is a shard alone.
  int64_t shard_bytes = int64_t{5'000'000'000};
};

// Writes config.json, the weights with those of the prediction head, and copies
// generation_config.json, the tokenizer's files and the chat template from
// `source_folder` (may be empty). `config_json` is the text of the folder the
// model came from, carried along with what is no longer true of it corrected.
// Not atomic: the caller writes into a temporary folder and renames it.
//   kInvalidArgument  an unknown dtype, a config that is no JSON object
absl::Status SaveFolder(const Transformer& model,
                        const std::string& config_json,
                        const std::string& source_folder,
                        const std::string& folder,
                        const SaveOptions& options = {});

}  // namespace cohort
